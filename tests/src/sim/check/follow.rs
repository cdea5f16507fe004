//! A stream that is taken up again says what its caller was told, event by event, or where it breaks off.

use crate::sim::caller;
use crate::sim::world::{Call, Followed, State};

/// An event's number, if it has one, and the rest of its frame.
type Frame = (Option<u64>, String);

/// The frames of a stream, without comments.
pub fn frames(body: &[u8]) -> Vec<Frame> {
    let text = String::from_utf8_lossy(body).replace("\r\n", "\n");
    let frames = text.split("\n\n").filter(|frame| frame.lines().any(|line| !line.starts_with(':')));
    frames
        .map(|frame| {
            let (ids, rest): (Vec<_>, Vec<_>) = frame.lines().partition(|line| line.starts_with("id: "));
            (ids.first().and_then(|id| id[4..].parse().ok()), rest.join("\n"))
        })
        .collect()
}

/// A body without the numbers of its events.
pub fn unnumbered(body: &[u8]) -> Vec<u8> {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !line.starts_with(b"id: ")).flatten().copied().collect()
}

/// What is wrong with how a call's stream was numbered and taken up again.
pub fn check(state: &State, call: usize, flaky: bool) -> Vec<String> {
    let it = &state.calls[call];
    if !it.ask.resumable || it.header("x-opencode-stream").is_none() {
        return Vec::new();
    }
    let live = frames(&it.written(None));
    let mut broken = Vec::new();
    // Google's SDKs read no ids.
    let shown = caller::DIALECTS[it.ask.dialect].name != "gemini";
    let numbers = live.iter().zip(0..).all(|((id, _), number)| *id == shown.then_some(number));
    if !numbers {
        broken.push("its events are not numbered from 0 on, without gaps".to_owned());
    }
    for followed in &it.followed {
        if let Err(what) = one(it, &live, followed, flaky) {
            broken.push(format!("taken up after {:?}: {what}", followed.after));
        }
    }
    broken
}

fn one(call: &Call, live: &[Frame], followed: &Followed, flaky: bool) -> Result<(), String> {
    if followed.late {
        return if followed.status == 404 {
            Ok(())
        } else {
            Err(format!("late: status {}", followed.status))
        };
    }
    // While stores fail it may be refused, and what could not be kept is lost.
    let excused = flaky || call.append_errors > 0;
    if followed.status != 200 {
        return if excused { Ok(()) } else { Err(format!("status {}", followed.status)) };
    }
    let first = followed.after.map_or(0, |after| after + 1);
    let got = frames(&followed.bytes);
    let said = &live[usize::try_from(first).unwrap_or(usize::MAX).min(live.len())..];
    let same = |got: &[Frame], said: &[Frame]| {
        let pairs = got.iter().zip(said).zip(first..);
        got.len() <= said.len()
            && pairs.into_iter().all(|((got, said), number)| *got == (Some(number), said.1.clone()))
    };
    if got.len() == said.len() && same(&got, said) {
        return Ok(());
    }
    // The error is no event of the answer and has no number.
    let (before, error) = got.split_at(got.iter().position(|(id, _)| id.is_none()).unwrap_or(got.len()));
    let error: String = error.iter().map(|(_, frame)| format!("{frame}\n\n")).collect();
    let fails = (caller::DIALECTS[call.ask.dialect].hear)(error.as_bytes()).failed;
    match (call.died.is_some() || excused, fails && same(before, said)) {
        (true, true) => Ok(()),
        _ => Err(format!("it says {got:?}, and its caller was told {said:?}")),
    }
}
