//! Every fault of the catalogue, from every upstream dialect, to every caller: what the caller sees, what the upstream
//! sees, what the receipt says.
//!
//! The first target has the fault, the second, of the same dialect, is healthy. On native all five surfaces call; on the
//! other hosts the upstream's own dialect and the platform's. One line of score for each host.

pub mod caller;
mod table;

use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

use self::caller::{Caller, Seen};
use self::table::{ROWS, Row, See};
use crate::hosts::chosen;
use crate::hosts::ctx::{Ctx, check, same};
use crate::hosts::platform::{Kind, Platform};
use crate::suite::{self, RUNTIME};
use crate::wall::Wall;
use crate::wall::fault::TOKENS;

/// Upstream dialects: the name of the targets, and the caller of the same dialect.
const UPSTREAMS: [(&str, &str, Caller); 4] = [
    ("openai", "wall", Caller::OpenAi),
    ("responses", "wall-responses", Caller::Responses),
    ("anthropic", "wall-anthropic", Caller::Anthropic),
    ("gemini", "wall-gemini", Caller::Gemini),
];

/// Runs the suite on one host after another.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    let mut arguments = arguments.clone();
    arguments.test_threads.get_or_insert(8);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let wall = Arc::new(RUNTIME.block_on(Wall::start())?);
    let mut passed = true;
    for kind in chosen().into_iter().filter(|kind| *kind != Kind::BareWorkerd) {
        passed &= on(kind, &arguments, &wall, &folder.path().join(kind.name()));
    }
    if !passed {
        suite::say(&format!("what the hosts said is in {}", folder.keep().display()));
    }
    Ok(passed)
}

fn on(kind: Kind, arguments: &Arguments, wall: &Arc<Wall>, folder: &Path) -> bool {
    let name = format!("faults on {}", kind.name());
    let platform = match RUNTIME.block_on(Platform::start(kind, &wall.url, folder)) {
        Ok(platform) => Arc::new(platform),
        Err(error) => {
            let trial = Trial::test("start", move || Err(error.into()));
            return suite::run(&name, &Arguments::default(), vec![trial]);
        }
    };
    let mut trials = Vec::new();
    for row in &ROWS {
        for (upstream, target, own) in UPSTREAMS {
            let callers = caller::ALL
                .into_iter()
                .filter(|(_, caller)| kind == Kind::Native || *caller == own || *caller == Caller::Platform);
            for (called, caller) in callers {
                for stream in [true, false] {
                    let shape = if stream { "stream" } else { "whole" };
                    let name = format!("{}::{upstream}::{called}::{shape}", row.id.replace(' ', "-"));
                    let ctx = Ctx::new(Arc::clone(&platform), Arc::clone(wall), &name);
                    trials.push(Trial::test(name, move || {
                        let case = Case { ctx: &ctx, row, target, caller, stream };
                        RUNTIME.block_on(case.run()).map_err(|error| format!("{}: {error}", row.what).into())
                    }));
                }
            }
        }
    }
    let passed = suite::run(&name, arguments, trials);
    let _running = RUNTIME.enter();
    drop(platform);
    passed
}

struct Case<'a> {
    ctx: &'a Ctx,
    row: &'a Row,
    target: &'a str,
    caller: Caller,
    stream: bool,
}

impl Case<'_> {
    async fn run(&self) -> Result<(), String> {
        let Self { ctx, row, target, caller, stream } = self;
        let second = ctx.part("second");
        let first = format!("{target}/{}~{}", row.fault, ctx.tag);
        let targets = format!("{first},{target}/ok~{}", second.tag);
        let mut response = caller.request(ctx, *stream, &targets).send().await?;
        let (status, answered) = (response.status, response.header("x-opencode-target").map(str::to_owned));
        let body = response.text().await?;
        // Google blocks a prompt with an answer that has no candidates.
        let blocked = row.id == "S13" && *target == "wall-gemini";
        let want = match (blocked, *stream) {
            (true, _) => See::Withheld(0),
            (false, true) => row.streamed,
            (false, false) => row.whole,
        };
        let story = || format!("status {status}: {body}");
        if let See::Refused(wanted) = want {
            same("status", status, wanted).map_err(|error| format!("{error}: {body}"))?;
            let json: Value = serde_json::from_str(&body).map_err(|error| format!("{error} in {body}"))?;
            check(caller.refusal(&json).is_some_and(|said| !said.is_empty()), story)?;
        } else {
            same("status", status, 200).map_err(|error| format!("{error}: {body}"))?;
            self.sees(want, &self.read(&body)?).map_err(|error| format!("{error} in {body}"))?;
            let who = if want == See::Second { &second.tag } else { &ctx.tag };
            check(answered.as_ref().is_some_and(|target| target.ends_with(&format!("~{who}"))), || {
                format!("{answered:?} is said to have answered")
            })?;
        }
        same("calls of the second", second.stats().calls(), usize::from(want == See::Second))?;
        same("calls of the first", ctx.stats().calls(), row.calls)?;
        ctx.quiet().await?;
        self.receipt(want, &second).await
    }

    fn read(&self, body: &str) -> Result<Seen, String> {
        // Also a streaming route answers whole where the platform's body does not ask for a stream.
        if self.stream {
            return self.caller.stream(body);
        }
        let json = serde_json::from_str(body).map_err(|error| format!("{error} in {body}"))?;
        Ok(self.caller.whole(&json))
    }

    fn sees(&self, want: See, seen: &Seen) -> Result<(), String> {
        let tokens = seen.text.split_whitespace().count();
        match want {
            See::First | See::Second => {
                same("tokens", tokens, TOKENS)?;
                same("error", &seen.error, &None)?;
                check(seen.ended && seen.finish.is_some(), || format!("no end: {seen:?}"))?;
            }
            See::Broken(after) => {
                same("tokens", tokens, after)?;
                check(seen.error.is_some(), || format!("no error: {seen:?}"))?;
                check(!seen.ended && seen.finish.is_none(), || format!("it looks complete: {seen:?}"))?;
            }
            See::Withheld(after) => {
                same("tokens", tokens, after)?;
                same("reason", seen.finish.as_deref(), Some(self.caller.withheld()))?;
                check(seen.ended && seen.error.is_none(), || format!("no end: {seen:?}"))?;
            }
            See::Refused(_) => {}
        }
        same("events after the end", seen.after, 0)
    }

    /// One receipt, with every attempt and its outcome in order.
    async fn receipt(&self, want: See, second: &Ctx) -> Result<(), String> {
        let receipts =
            self.ctx.receipts_of(&self.ctx.keys.acme, &self.ctx.tag, |list| !list.is_empty()).await?;
        let mine: Vec<&Value> = receipts
            .iter()
            .filter(|it| {
                it["attempts"][0]["target"].as_str().is_some_and(|name| name.ends_with(&self.ctx.tag))
            })
            .collect();
        same("receipts", mine.len(), 1)?;
        let attempts = mine[0]["attempts"].as_array().cloned().unwrap_or_default();
        let outcome =
            |place: usize| attempts.get(place).and_then(|it| it["outcome"].as_str()).unwrap_or("none");
        let (outcomes, whole) = match want {
            See::Second => (
                vec![outcome(0) == "failed" || outcome(0) == "timeout", outcome(1) == "answered"],
                "complete",
            ),
            See::First | See::Withheld(_) => (vec![outcome(0) == "answered"], "complete"),
            See::Broken(_) => (vec![outcome(0) == "failed" || outcome(0) == "timeout"], "failed"),
            See::Refused(_) => (vec![outcome(0) == "refused"], "refused"),
        };
        check(attempts.len() == outcomes.len() && outcomes.iter().all(|good| *good), || {
            format!("attempts of the receipt: {attempts:?}")
        })?;
        same("outcome", mine[0]["outcome"].as_str(), Some(whole))?;
        if let See::Broken(tokens) = want {
            same("tokens that came", attempts[0]["usage"]["output"].as_u64(), Some(tokens as u64))?;
            same("estimated", attempts[0]["estimated"].as_bool(), Some(true))?;
        }
        if want == See::Second {
            let name = attempts[1]["target"].as_str().unwrap_or_default();
            check(name.ends_with(&second.tag), || format!("the second attempt is {name}"))?;
            same("reported", attempts[1]["estimated"].as_bool(), Some(false))?;
        }
        Ok(())
    }
}
