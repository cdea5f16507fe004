//! A receipt says what was sent, what came of it and what it cost.

use opencode_core::call::Fate;
use opencode_core::ledger::receipt::{Attempted, Outcome, Receipt};

use crate::sim::upstream;
use crate::sim::world::{Attempt, Call, State, World};

/// What is wrong with the receipt that a call's owner wrote.
pub fn check(world: &World, state: &State, call: usize) -> Vec<String> {
    let it = &state.calls[call];
    let sent: Vec<&Attempt> = state.attempts.iter().filter(|attempt| attempt.call == call).collect();
    let hit = it.header("x-opencode-cache") == Some("hit");
    let own: Vec<&Receipt> = it.receipts.iter().filter(|it| it.outcome != Outcome::Lost).collect();
    let due = it.died.is_none() && (hit || !sent.is_empty()) && it.append_errors < 2;
    match own.as_slice() {
        [] if due => vec!["an answer without a receipt".to_owned()],
        [] => Vec::new(),
        [receipt] => one(world, it, receipt, &sent, hit),
        several => vec![format!("{} receipts of one answer", several.len())],
    }
}

fn one(world: &World, call: &Call, receipt: &Receipt, sent: &[&Attempt], hit: bool) -> Vec<String> {
    let mut broken = Vec::new();
    let mut holds = |holds: bool, what: &str| {
        if !holds {
            broken.push(what.to_owned());
        }
    };
    let outcome = receipt.outcome;
    holds(receipt.key == "k1", "the receipt names another key");
    holds(
        hit == (outcome == Outcome::Cached) || call.head.is_none(),
        "the receipt says otherwise of the cache",
    );
    holds(outcome != Outcome::Left || call.left.is_some(), "the receipt says that a caller left who did not");
    let answered = receipt.attempts.iter().filter(|it| it.outcome == Fate::Answered).count();
    holds(answered == usize::from(outcome == Outcome::Complete), "not exactly one attempt answered");
    holds(receipt.attempts.iter().all(|it| it.outcome != Fate::Running), "the receipt has a running attempt");
    let cost = receipt.attempts.iter().map(|it| it.cost_micros).sum::<u64>();
    holds(receipt.cost_micros == cost, "the receipt's cost is not that of its attempts");
    let tokens = |pick: fn(&Attempted) -> u64| receipt.attempts.iter().map(pick).sum::<u64>();
    let sums = (tokens(|it| it.usage.input), tokens(|it| it.usage.output));
    holds((receipt.usage.input, receipt.usage.output) == sums, "the receipt's tokens are not its attempts'");
    let names = |it: &Attempted| it.target.clone();
    let named: Vec<String> = receipt.attempts.iter().map(names).collect();
    let asked: Vec<String> = sent.iter().map(|it| format!("t{}/m", it.target)).collect();
    if named != asked {
        broken.push(format!("the receipt says that {named:?} were asked, and {asked:?} were"));
        return broken;
    }
    for (said, attempt) in receipt.attempts.iter().zip(sent) {
        let late = attempt.last >= call.began + world.whole;
        broken.extend(
            attempted(world, said, attempt, late).into_iter().map(|what| format!("{}: {what}", said.target)),
        );
    }
    broken
}

/// `late`: bytes came after the whole deadline, which nobody need read.
fn attempted(world: &World, said: &Attempted, attempt: &Attempt, late: bool) -> Vec<String> {
    let truth = attempt.truth();
    let mut broken = Vec::new();
    if said.status != attempt.status() && !late {
        broken.push(format!("its status was {:?}, not {:?}", attempt.status(), said.status));
    }
    if said.outcome == Fate::Answered && !truth.finished {
        broken.push("it answered without a finish reason".to_owned());
    }
    if late {
        return broken;
    }
    if said.unreadable != truth.unreadable {
        broken.push(format!("{} frames were unreadable, not {}", truth.unreadable, said.unreadable));
    }
    let usage = said.usage;
    let partial = upstream::DIALECTS[world.targets[attempt.target].dialect].counts.partial;
    match truth.counts {
        // What was counted until an attempt was given up holds for the input, and is the least for the output.
        Some(counts) if partial && said.outcome != Fate::Answered => {
            let input = (usage.input, usage.cached) == (counts.input, counts.cached);
            if !said.estimated || !input || usage.output < counts.output {
                broken.push(format!(
                    "until it was given up it reported {counts:?}, and the receipt says {usage:?}"
                ));
            }
        }
        Some(counts) => {
            let reported = (counts.input, counts.output, counts.cached, counts.reasoning);
            if said.estimated || (usage.input, usage.output, usage.cached, usage.reasoning) != reported {
                broken.push(format!("it reported {counts:?}, and the receipt says {usage:?}"));
            }
        }
        None if !said.estimated && usage.input + usage.output > 0 => {
            broken.push(format!("it reported nothing, and the receipt says {usage:?}"));
        }
        None => {}
    }
    broken
}
