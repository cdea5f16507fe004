//! An answer that other providers went on with: each says its part once, in order, and each seam is declared once.

use crate::sim::caller::Heard;
use crate::sim::world::{Attempt, Call, State};

/// The last of those who said a text, and what is wrong with its parts. Each token names the attempt that said it.
pub fn check<'a>(
    state: &'a State,
    call: usize,
    heard: &Heard,
    body: &[u8],
) -> Result<(&'a Attempt, usize), String> {
    let it = &state.calls[call];
    let attempts: Vec<&Attempt> = state.attempts.iter().filter(|attempt| attempt.call == call).collect();
    let mut rest = heard.text.as_str();
    let mut spoke: Vec<&Attempt> = Vec::new();
    // A last frame without its line breaks counts once the body has ended.
    let spoken = attempts.into_iter().map(|attempt| (attempt, attempt.truth()));
    let spoken = spoken.filter(|(attempt, truth)| attempt.content.is_some() || truth.finished);
    let said: Vec<(&Attempt, String)> = spoken.map(|(attempt, truth)| (attempt, truth.text)).collect();
    for (place, (attempt, text)) in said.iter().enumerate() {
        let tag = format!("c{call}a{}.", attempt.number);
        if !rest.starts_with(&tag) {
            continue;
        }
        let next =
            said.iter().skip(place + 1).filter_map(|(it, _)| rest.find(&format!("c{call}a{}.", it.number)));
        let end = next.min().unwrap_or(rest.len());
        let (own, after) = rest.split_at(end);
        let all = if after.is_empty() && !heard.complete { text.starts_with(own) } else { text == own };
        if !all {
            return Err(format!(
                "attempt {} said {text:?}, and the caller has {own:?} of it",
                attempt.number
            ));
        }
        spoke.push(attempt);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(format!("no provider said {rest:?}, or not in this order"));
    }
    let notes = seams(it, body);
    // Who goes on may have nothing to add but the end.
    let silent = said.iter().filter(|(_, text)| text.is_empty()).count();
    let seams = spoke.len().saturating_sub(1);
    if notes < seams || notes > seams + silent {
        return Err(format!("{notes} seams are declared in an answer of {} parts", spoke.len()));
    }
    let target = |attempt: &Attempt| format!("t{}/m", attempt.target);
    if spoke.first().is_some_and(|first| it.header("x-opencode-target") != Some(&target(first))) {
        return Err("the answer names another target than the one that began it".to_owned());
    }
    let last = if notes > seams { said.last().map(|(attempt, _)| *attempt) } else { spoke.last().copied() };
    let last = last.or(said.iter().map(|(attempt, _)| *attempt).find(|attempt| attempt.truth().finished));
    last.map(|last| (last, notes)).ok_or_else(|| "nobody said anything".to_owned())
}

/// How many seams a stream declares.
pub fn seams(call: &Call, body: &[u8]) -> usize {
    if !call.ask.stream {
        return 0;
    }
    let text = String::from_utf8_lossy(body);
    text.matches("\"opencode_continued\":").count() + text.matches("event: continued\n").count()
}
