//! What a caller was told is what one provider said: in its words, to its end or to an honest error.

use opencode_core::call::Fate;
use opencode_core::ledger::receipt::Outcome;

use super::parts;
use crate::sim::caller::{self, Dialect, Heard};
use crate::sim::upstream::{self, Say, Truth};
use crate::sim::world::{Attempt, Call, State, World};

/// What is wrong with the answer of a call.
pub fn check(world: &World, state: &State, call: usize) -> Vec<String> {
    let it = &state.calls[call];
    let Some((status, _)) = it.head else { return Vec::new() };
    let dialect = &caller::DIALECTS[it.ask.dialect];
    let body = super::unnumbered(&it.written(None));
    let streamed = it.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    let heard = if streamed { (dialect.hear)(&body) } else { (dialect.hear_whole)(&body) };
    let mut broken = heard.wrong.clone();
    let given_up = it.left.is_some() || it.died.is_some();
    if !given_up && heard.complete == heard.failed {
        broken.push("the answer ends neither complete nor with an error".to_owned());
    }
    // Where the configuration could not be looked for, nobody is known.
    if !it.ask.known && status != 401 && !(status == 503 && world.flaky.get()) {
        broken.push(format!("a stranger gets status {status}"));
    }
    if status != 200 && (heard.complete || !heard.text.is_empty()) {
        broken.push(format!("an answer with status {status}"));
    }
    let outcome = it.receipts.first().map(|receipt| receipt.outcome);
    let complete = matches!(outcome, Some(Outcome::Complete | Outcome::Cached));
    if heard.complete && !complete && it.append_errors < 2 {
        broken.push(format!("the caller is told the end, and the receipt says {outcome:?}"));
    }
    if complete && heard.failed {
        broken.push(format!("the caller is told a failure, and the receipt says {outcome:?}"));
    }
    let hit = it.header("x-opencode-cache") == Some("hit");
    if it.ask.continues && !hit && (heard.complete || !heard.text.is_empty()) {
        match parts::check(state, call, &heard, &body) {
            Ok((last, seams)) => broken.extend(ended(it, last, &heard, world, seams)),
            Err(what) => broken.push(what),
        }
        return broken;
    }
    if parts::seams(it, &body) > 0 {
        broken.push("a seam is declared that nobody asked for".to_owned());
    }
    if heard.complete || !heard.text.is_empty() {
        match speaker(state, call, &heard) {
            Some(attempt) => broken.extend(said(it, attempt, &heard, &body, streamed, world)),
            None => broken.push(format!("no single provider said {:?}", heard.text)),
        }
    }
    broken
}

/// The attempt whose words the caller has: one of this call's, or, from the cache, of an earlier call of its tenant.
fn speaker<'a>(state: &'a State, call: usize, heard: &Heard) -> Option<&'a Attempt> {
    let it = &state.calls[call];
    let hit = it.header("x-opencode-cache") == Some("hit");
    let target = it.header("x-opencode-target");
    state.attempts.iter().find(|attempt| {
        let other = &state.calls[attempt.call].ask;
        let may = if hit {
            (other.tenant, other.question) == (it.ask.tenant, it.ask.question)
        } else {
            attempt.call == call
        };
        let truth = attempt.truth();
        let words = if heard.complete {
            truth.finished && truth.text == heard.text
        } else {
            truth.text.starts_with(&heard.text)
        };
        may && words && target == Some(format!("t{}/m", attempt.target).as_str())
    })
}

/// The end of an answer is that of the last who spoke.
fn ended(call: &Call, last: &Attempt, heard: &Heard, world: &World, seams: usize) -> Vec<String> {
    let truth = last.truth();
    let mut broken = Vec::new();
    if heard.finishes > 0 && !truth.finished {
        broken.push("a finish reason that no provider said".to_owned());
    }
    let in_time = last.last < call.began + world.whole;
    if heard.failed && truth.finished && in_time && call.left.is_none() {
        broken.push("the provider's answer was complete, and the caller is told that it failed".to_owned());
    }
    if seams == 0 {
        broken.extend(told(call, &truth, heard));
    }
    broken
}

fn said(
    call: &Call,
    attempt: &Attempt,
    heard: &Heard,
    body: &[u8],
    streamed: bool,
    world: &World,
) -> Vec<String> {
    let truth = attempt.truth();
    let mut broken = Vec::new();
    if heard.finishes > 0 && !truth.finished {
        broken.push("a finish reason that no provider said".to_owned());
    }
    let in_time = attempt.last < call.began + world.whole;
    if heard.failed && truth.finished && in_time && call.left.is_none() {
        broken.push("the provider's answer was complete, and the caller is told that it failed".to_owned());
    }
    broken.extend(told(call, &truth, heard));
    let dialect = &caller::DIALECTS[call.ask.dialect];
    // What may be continued is written anew.
    if call.ask.continues || dialect.name != upstream::DIALECTS[world.targets[attempt.target].dialect].name {
        return broken;
    }
    let passed = if streamed {
        stream_passes(
            call,
            attempt,
            heard,
            body,
            dialect,
            &upstream::DIALECTS[world.targets[attempt.target].dialect],
        )
    } else {
        let whole = attempt.script.said.first().is_some_and(|said| said.bytes == body);
        whole.then_some(()).ok_or_else(|| "the whole answer is not the provider's byte for byte".to_owned())
    };
    broken.extend(passed.err());
    broken
}

/// A caller that is told tokens is told those that the provider reported of this answer, and of no other attempt.
fn told(call: &Call, truth: &Truth, heard: &Heard) -> Option<String> {
    // Of a cached answer it may be told that it used none, and whoever does not ask in OpenAI's dialect is told what
    // stands in frames with something else in them.
    let hit = call.header("x-opencode-cache") == Some("hit");
    let unasked = caller::DIALECTS[call.ask.dialect].name == "openai" && call.ask.stream && !call.ask.usage;
    let (told, counts) = (heard.usage.filter(|_| heard.complete && !hit && !unasked)?, truth.counts?);
    let reported = (counts.input, counts.output);
    (told != reported)
        .then(|| format!("the caller is told {told:?} tokens, and the provider said {reported:?}"))
}

/// Where caller and provider speak the same dialect, each frame comes byte for byte, or not at all.
fn stream_passes(
    call: &Call,
    attempt: &Attempt,
    heard: &Heard,
    body: &[u8],
    dialect: &Dialect,
    spoken: &upstream::Dialect,
) -> Result<(), String> {
    let mut rest = body;
    let mut all = true;
    let terminator = dialect.terminator;
    let mut end = terminator;
    for said in attempt.script.came(attempt.delivered, attempt.eof) {
        if matches!(said.say, Say::Error | Say::ErrorAsFinish) {
            break;
        }
        if said.say == Say::End {
            end = &said.bytes;
            break;
        }
        if !said.say.passes(spoken, call.ask.usage) {
            continue;
        }
        match rest.strip_prefix(&*said.bytes) {
            Some(after) => rest = after,
            None => {
                all = false;
                break;
            }
        }
    }
    let at = body.len() - rest.len();
    let rest_text = String::from_utf8_lossy(rest);
    if heard.complete {
        return match all && (rest == terminator || rest == end) {
            true => Ok(()),
            false => Err(format!("a complete answer is not the provider's from byte {at} on: {rest_text:?}")),
        };
    }
    let receipt = call.receipts.first();
    let fate = receipt.and_then(|receipt| receipt.attempts.get(attempt.number)).map(|it| it.outcome);
    let failed_itself = fate == Some(Fate::Failed);
    if !all && failed_itself && call.left.is_none() {
        return Err(format!(
            "frames that came before the failure are missing from byte {at} on: {rest_text:?}"
        ));
    }
    let alone = (dialect.hear)(rest);
    let one_error = alone.failed && alone.text.is_empty() && rest_text.matches("data: ").count() == 1;
    if rest.is_empty() || one_error {
        return Ok(());
    }
    Err(format!("bytes that the provider did not send, from byte {at} on: {rest_text:?}"))
}
