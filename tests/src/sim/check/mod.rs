//! What must hold, whatever providers, stores and callers do.

mod answer;
mod books;
mod follow;
mod parts;
mod receipt;

use std::collections::BTreeMap;

pub use self::books::{books, counters};
pub use self::follow::{frames, unnumbered};
use opencode_core::call::Fate;

use super::caller;
use super::upstream::{self, Head};
use super::world::World;

/// Before the names of two dialects of which one answered the other.
pub const PAIR: &str = "from ";

/// How often each thing happened.
pub type Tally = BTreeMap<String, u64>;

/// Milliseconds that settling may take: a few rounds to slow stores.
const SETTLING: u64 = 300;
/// Milliseconds that keeping segments may take of an answer's time.
const KEEPING: u64 = 500;
/// Milliseconds until a provider must be rid of a caller that has left.
const LEAVING: u64 = 2_000;

/// An attempt is about to be sent.
pub fn sending(world: &World, call: usize, target: usize) {
    let now = world.clock.now();
    let mut broken = Vec::new();
    {
        let state = world.state.borrow();
        let it = &state.calls[call];
        let limits = &world.tenants[it.ask.tenant];
        let limited = limits.requests > 0 || limits.concurrent > 0 || limits.micros > 0;
        if limited && !state.holds.values().any(|held| held.call == Some(call) && held.spent.is_none()) {
            broken.push("a provider is asked without a hold".to_owned());
        }
        if it.left.is_some_and(|left| left < now) {
            broken.push("a provider is asked after the caller has left".to_owned());
        }
        if it.ended.is_some() || !it.receipts.is_empty() {
            broken.push("a provider is asked after the answer was settled".to_owned());
        }
        if now > it.began + world.whole + SETTLING {
            broken.push("a provider is asked after the deadline".to_owned());
        }
        for (number, before) in state.attempts.iter().enumerate().filter(|(_, it)| it.call == call) {
            let goes_on = it.ask.continues && before.over.is_some();
            if before.content.is_some() && !goes_on {
                broken.push(format!("a provider is asked after the content of attempt {number}"));
            }
            if let (Head::Status(_, Some(seconds)), Some(head)) = (before.script.head, before.head)
                && before.target == target
                && now < head + seconds * 1_000
            {
                broken.push(format!("t{target} is asked again before the {seconds} s that it named"));
            }
        }
    }
    broken.into_iter().for_each(|what| world.breaks(Some(call), what));
}

/// A piece of a stream was handed to the host.
pub fn written(world: &World, call: usize) {
    let (heard, running) = {
        let state = world.state.borrow();
        let it = &state.calls[call];
        let Some((_, bytes)) = it.items.last() else { return };
        let hear = caller::DIALECTS[it.ask.dialect].hear;
        let running = state.attempts.iter().filter(|it| it.call == call && it.over.is_none()).count();
        (hear(bytes), running)
    };
    if !heard.text.is_empty() && running > 1 {
        world.breaks(Some(call), format!("{running} attempts run after the first content"));
    }
    if heard.complete || heard.failed {
        last_bytes(world, call);
    }
}

/// The last bytes are about to leave: nothing after them is promised.
pub fn last_bytes(world: &World, call: usize) {
    nothing_runs(world, call, "before the last bytes");
    let missing = {
        let state = world.state.borrow();
        let it = &state.calls[call];
        let answered = it.header("x-opencode-cache") == Some("hit")
            || state.attempts.iter().any(|attempt| attempt.call == call);
        answered && it.own_receipts() == 0 && it.append_errors < 2
    };
    if missing {
        world.breaks(Some(call), "the last bytes come before the receipt");
    }
}

/// No provider works for a call any more.
pub fn nothing_runs(world: &World, call: usize, when: &str) {
    let running = {
        let attempts = &world.state.borrow().attempts;
        attempts.iter().position(|attempt| attempt.call == call && attempt.over.is_none())
    };
    if let Some(attempt) = running {
        world.breaks(Some(call), format!("attempt {attempt} still runs {when}"));
    }
}

/// Everything about one call, once nothing happens any more.
pub fn call(world: &World, call: usize) {
    nothing_runs(world, call, "at the end of everything");
    let broken = {
        let state = world.state.borrow();
        let mut broken = times(world, &state, call);
        broken.extend(receipt::check(world, &state, call));
        broken.extend(answer::check(world, &state, call));
        let open = |held: &super::world::Held| held.call == Some(call) && held.spent.is_none();
        if state.calls[call].died.is_none() && !world.flaky.get() && state.holds.values().any(open) {
            broken.push("the answer has ended, and its hold is still open".to_owned());
        }
        broken
    };
    broken.into_iter().for_each(|what| world.breaks(Some(call), what));
}

/// Everything that those heard who took a call's stream up again.
pub fn follows(world: &World, call: usize) {
    let broken = follow::check(&world.state.borrow(), call, world.flaked.get());
    broken.into_iter().for_each(|what| world.breaks(Some(call), what));
}

fn times(world: &World, state: &super::world::State, call: usize) -> Vec<String> {
    let it = &state.calls[call];
    let mut broken = Vec::new();
    // While a segment is kept, nothing is read.
    let keeping = if it.ask.resumable { KEEPING } else { 0 };
    match it.ended {
        None if it.died.is_none() => broken.push("the answer never ends".to_owned()),
        Some(ended) => {
            // A reader may let a few things wait that were ready in time.
            let due = it.began + world.whole + 4 * it.ask.pause + SETTLING + keeping;
            if ended > due {
                broken.push(format!("the answer ends {} ms after its deadline", ended - due));
            }
            if it.left.is_some_and(|left| ended > left + LEAVING) {
                broken.push("the answer goes on after its caller has left".to_owned());
            }
        }
        None => {}
    }
    for (number, attempt) in state.attempts.iter().enumerate().filter(|(_, it)| it.call == call) {
        let over = attempt.over.unwrap_or(u64::MAX);
        let mut late = |due: u64, what: &str| {
            if over > due {
                broken.push(format!("attempt {number} runs on {what}"));
            }
        };
        late(it.left.unwrap_or(u64::MAX - LEAVING) + LEAVING, "after the caller has left");
        late(it.died.unwrap_or(u64::MAX), "after its owner has died");
        let pace = &world.targets[attempt.target].pace;
        if attempt.content.is_none() {
            late(
                attempt.sent + pace.first + 1 + keeping,
                "without content beyond the bound of the first content",
            );
        } else if it.ask.pause == 0 {
            late(attempt.last + pace.idle + 1 + keeping, "in silence beyond the bound between two chunks");
        }
    }
    broken
}

/// What happened in a scene, for the suite's last line.
pub fn tally(world: &World) -> Tally {
    let mut tally = Tally::new();
    let state = world.state.borrow();
    let mut count = |name: &str, many: usize| *tally.entry(name.to_owned()).or_default() += many as u64;
    count("calls", state.calls.len());
    count("attempts", state.attempts.len());
    count("left", state.calls.iter().filter(|call| call.left.is_some()).count());
    count("owners died", state.calls.iter().filter(|call| call.died.is_some()).count());
    count("taken up again", state.calls.iter().filter(|call| !call.followed.is_empty()).count());
    let seams = |call: &&super::world::Call| parts::seams(call, &call.written(None)) > 0;
    count("continued", state.calls.iter().filter(seams).count());
    let limited = |call: &&super::world::Call| call.head.as_ref().is_some_and(|(status, _)| *status == 429);
    count("limited", state.calls.iter().filter(limited).count());
    for (call, receipt) in state.calls.iter().flat_map(|call| call.receipts.iter().map(move |it| (call, it)))
    {
        let outcome = serde_json::to_value(receipt.outcome).unwrap_or_default();
        if let Some(attempt) = receipt.attempts.iter().find(|it| it.outcome == Fate::Answered) {
            let target =
                world.targets.iter().zip(0..).find(|(_, number)| attempt.target == format!("t{number}/m"));
            let spoken = target.map_or("nobody", |(target, _)| upstream::DIALECTS[target.dialect].name);
            count(&format!("{PAIR}{spoken} to {}", caller::DIALECTS[call.ask.dialect].name), 1);
        }
        count(&format!("receipts {}", outcome.as_str().unwrap_or_default()), 1);
        count("several attempts", usize::from(receipt.attempts.len() > 1));
    }
    tally
}
