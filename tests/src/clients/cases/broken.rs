//! What every SDK makes of every target's failures, and of a request that is refused.

use serde_json::json;

use crate::clients::case::Case;
use crate::clients::sdk::Dialect;
use crate::clients::spelling::Spelling;
use crate::wall::rich;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (spelling, clients) in Spelling::ALL {
        for target in Dialect::ALL {
            let row = |what: &str, fault: &str| {
                let job = json!({ "op": "chat", "params": spelling.hello(fault) });
                Case::new(&format!("broken/{}/{what} {fault}", target.target()), clients, job).over(target)
            };
            // What the SDK has seen by then is the caller's; that it is not all must be raised.
            for fault in ["cut:5", "eof:5", "error:5", "stall:5"] {
                let mut case = row("after content,", fault);
                case.job["stream"] = json!(true);
                let so_far = json!({ "texts": ["tok0 tok1 tok2 tok3 tok4"], "error": {} });
                cases.push(case.gives(so_far));
            }
            // What the platform can mend, an SDK does not notice.
            for fault in ["malformed:3", "no-done"] {
                let mut case = row("mended,", fault);
                case.job["stream"] = json!(true);
                let all = json!({ "texts": ["tok0 tok1 tok2 tok3 tok4 tok5 tok6 tok7"], "finish": "stop" });
                cases.push(case.gives(all));
            }
            // What is left out for want of a word is said where no SDK stumbles over it.
            if clients.iter().all(|client| client.dialect != target) {
                let text = json!({ "texts": [rich::TEXT], "finish": "stop" });
                cases.extend(row("left out,", "rich").gives(text).both());
            }
            // Nor that another goes on, nor that the stream could be taken up again.
            let mut continued = row("continued,", "cut:5").tried_again();
            continued.job["stream"] = json!(true);
            let others = Dialect::ALL.iter().filter(|other| **other != target);
            let names = others.map(|other| format!("{}/ok:3~TAG", other.target())).collect::<Vec<_>>();
            let targets = format!("{}/cut:5~TAG, {}", target.target(), names.join(", "));
            let all = json!({ "texts": ["tok0 tok1 tok2 tok3 tok4tok0 tok1 tok2"], "finish": "stop" });
            cases.push(
                continued
                    .header("x-opencode-targets", &targets)
                    .header("x-opencode-continuation", "true")
                    .header("x-opencode-resumable", "true")
                    .gives(all),
            );
            for (fault, status) in [("cut:5", 502), ("429:2", 429), ("500", 502), ("503", 502), ("rst", 502)]
            {
                let case = row("before content,", fault).raises(status).tried_again();
                if fault == "cut:5" {
                    cases.push(case);
                } else {
                    cases.extend(case.both());
                }
            }
        }
        let row = |what: &str, model: &str| {
            let job = json!({ "op": "chat", "params": spelling.hello(model) });
            Case::new(&format!("broken/{what}"), clients, job).calls(0)
        };
        cases.extend(row("wrong key", "ok").wrong_key().raises(401).both());
        cases.extend(row("unknown provider", "=nobody/nothing").raises(404).both());
        // Chat completions of many servers have roles of their own: theirs are passed on.
        if spelling != Spelling::Vercel && clients.iter().all(|client| client.dialect != Dialect::Chat) {
            let mut nobody = row("a role that nobody has", "ok").raises(400);
            nobody.job["params"] = spelling.nobody("ok");
            cases.extend(nobody.both());
        }
    }
    cases
}
