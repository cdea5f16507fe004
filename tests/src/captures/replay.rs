//! What must hold of every recorded answer.

use bytes::{Bytes, BytesMut};
use libtest_mimic::Failed;
use opencode_core::call::Ended;
use opencode_core::wire::answer::{Answer, Block, Head};
use opencode_core::wire::event::{Event, Finish, Usage};
use opencode_core::wire::sse::Splitter;
use opencode_core::wire::{Dialect, Frame};
use serde_json::Value;

use super::reading::{Said, read};
use super::recording::Recorded;
use super::same;
use crate::golden::answers::{Played, play};
use crate::golden::{DIALECTS, head};

/// How many bytes of one answer, cut in two at different places, are replayed as a whole.
const MAX_CUT: usize = 512 * 1024;
/// Longer frames are not cut in two at every byte, but at every sixteenth: the time grows with the square.
const LONG: usize = 8 * 1024;
/// The member that says what was left out.
const OMITTED: &str = "opencode_omitted";

/// A genuine answer: read to its end, to the letter and to the token, and told in every dialect.
pub fn succeeds(dialect: Dialect, recorded: &Recorded) -> Result<(), Failed> {
    let played = play(dialect, &[recorded.body.as_bytes()]);
    same("the end", &played.ended, &Some(Ended::Complete))?;
    same("unreadable frames", &played.unreadable, &0)?;
    passes(&played, &recorded.passed)?;

    let answer = gathered(&played.frames);
    let (said, usage) = read(dialect, &recorded.events);
    same("usage", &played.usage, &usage)?;
    same("what it says", &Said::heard(&answer), &said)?;
    same("a finish for calls", &(answer.finish == Some(Finish::ToolCalls)), &!said.calls.is_empty())?;

    for (name, caller) in DIALECTS {
        let told = told(caller, &played, &answer, dialect == caller);
        told.map_err(|why| format!("to a caller of {name}: {}", why.message().unwrap_or_default()))?;
    }
    cut(dialect, &recorded.body, &played)?;
    torn(dialect, &recorded.body)
}

/// No genuine answer: it ends in a failure with these words, and nothing that was handed on looks like an end.
pub fn fails(dialect: Dialect, recorded: &Recorded, words: &str) -> Result<(), Failed> {
    let played = play(dialect, &[recorded.body.as_bytes()]);
    match &played.ended {
        Some(Ended::Failed(error)) if error.detail.contains(words) => {}
        other => return Err(format!("ended {other:?}, not for {words:?}").into()),
    }
    same("unreadable frames", &played.unreadable, &0)?;
    same("an end", &events(&played.frames).any(is_end), &false)?;
    cut(dialect, &recorded.body, &played)?;
    torn(dialect, &recorded.body)
}

/// A caller of the same dialect gets the provider's own bytes.
fn passes(played: &Played, expected: &str) -> Result<(), Failed> {
    let frames = played.frames.iter().map(|frame| String::from_utf8_lossy(&frame.bytes).into_owned());
    let handed: String = frames.collect();
    let places = handed.bytes().zip(expected.bytes());
    let Some(at) = places.clone().position(|(one, other)| one != other) else {
        return same("bytes that were handed on", &handed.len(), &expected.len());
    };
    Err(format!("the frames that were handed on are not those that came, from byte {at} on").into())
}

/// Written as a stream and as a whole answer, it is read as the same answer.
fn told(caller: Dialect, played: &Played, answer: &Answer, own: bool) -> Result<(), Failed> {
    let usage = played.usage.unwrap_or_default();
    // A wrong estimate, which the count must replace; none where nothing was counted.
    let head = Head { include_usage: true, input_estimate: usage.input / 2, ..head() };
    let mut encoder = caller.encoder(head.clone());
    let mut out = BytesMut::new();
    events(&played.frames).for_each(|event| encoder.event(event, &mut out));
    encoder.tail(usage, &mut out);
    let again = play(caller, &[&out]);
    same("the end", &again.ended, &Some(Ended::Complete))?;
    same("unreadable frames", &again.unreadable, &0)?;
    let streamed = gathered(&again.frames);
    same("the stream", &outline(&streamed, own), &outline(answer, own))?;
    same("the stream's usage", &counts(streamed.usage), &counts(usage))?;

    let mut whole = caller.whole(&head, answer);
    let omitted = whole.as_object_mut().and_then(|whole| whole.remove(OMITTED));
    same("what the whole says was left out", &omitted, &answer.omitted.note())?;
    same("what the stream says was left out", &omissions(&out)?, &Vec::from_iter(omitted))?;
    if caller == Dialect::Responses {
        same("the object of the stream's last event", &last(&out)?["response"], &whole)?;
    }
    let mut read = Answer::default();
    caller.decode_whole(whole.to_string().as_bytes()).iter().for_each(|event| read.add(event));
    same("the whole", &outline(&read, own), &outline(answer, own))?;
    same("the whole's usage", &counts(read.usage), &counts(usage))
}

/// The data of the last frame.
fn last(stream: &[u8]) -> Result<Value, Failed> {
    let stream = String::from_utf8_lossy(stream);
    let data = stream.lines().rev().find_map(|line| line.strip_prefix("data: "));
    Ok(serde_json::from_str(data.ok_or("nothing was written")?)?)
}

/// What its frames say was left out.
fn omissions(stream: &[u8]) -> Result<Vec<Value>, Failed> {
    let stream = String::from_utf8_lossy(stream);
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let said = data.filter(|data| data.contains(OMITTED)).map(serde_json::from_str::<Value>);
    Ok(said.map(|data| Ok(data?[OMITTED].take())).collect::<Result<_, serde_json::Error>>()?)
}

/// What every dialect can say; in its own one, also what it thought and how it is sealed.
fn outline(answer: &Answer, own: bool) -> impl PartialEq + std::fmt::Debug + use<> {
    let said = Said::heard(answer);
    let seals = answer.blocks.iter().filter(|block| match block {
        Block::Thinking { seal, .. } => seal.is_some(),
        Block::Tool(tool) => tool.seal.is_some(),
        Block::Text(_) | Block::Refusal(_) | Block::Run(_) => false,
    });
    let private = own.then(|| (said.thinking, seals.count()));
    (said.text, said.calls, answer.finish, private)
}

/// What every dialect counts.
fn counts(usage: Usage) -> (u64, u64, u64) {
    (usage.input, usage.output, usage.cached)
}

/// The same answer, however its lines end and however it is cut: every byte alone, in pieces, and in two.
fn cut(dialect: Dialect, body: &str, whole: &Played) -> Result<(), Failed> {
    let lines = body.replace("\r\n", "\n");
    for end in ["\n", "\r\n", "\r"] {
        let body = lines.replace('\n', end);
        frames(&body)
            .map_err(|why| format!("lines end in {end:?}: {}", why.message().unwrap_or_default()))?;
        for pieces in [vec![body.as_bytes()], body.as_bytes().chunks(1).collect()] {
            let played = play(dialect, &pieces);
            let same_events = events(&played.frames).eq(events(&whole.frames));
            same(&format!("events, where lines end in {end:?}"), &same_events, &true)?;
            same("the end", &(&played.ended, played.usage), &(&whole.ended, whole.usage))?;
        }
    }
    let body = body.as_bytes();
    for size in [1, 7, 61, 1021] {
        let pieces: Vec<&[u8]> = body.chunks(size).collect();
        same(&format!("in pieces of {size}"), &(play(dialect, &pieces) == *whole), &true)?;
    }
    let places = (MAX_CUT / body.len().max(1)).max(1);
    for at in (1..body.len()).step_by(body.len() / places + 1) {
        let (head, tail) = body.split_at(at);
        same(&format!("cut at {at}"), &(play(dialect, &[head, tail]) == *whole), &true)?;
    }
    Ok(())
}

/// Cut in two at every byte, each frame is the same frame. A splitter that has given its frame back holds nothing, so
/// what comes before it does not matter.
fn frames(body: &str) -> Result<(), Failed> {
    let mut all = Splitter::default();
    let mut frames = all.push(body.as_bytes()).map_err(|_| "a frame is too long")?;
    frames.extend(all.rest());
    same("the frames' bytes", &(frames.concat() == body.as_bytes()), &true)?;
    for frame in frames {
        for at in (1..frame.len()).step_by(if frame.len() > LONG { 16 } else { 1 }) {
            let (mut splitter, (head, tail)) = (Splitter::default(), frame.split_at(at));
            let halves = [head, tail].map(|half| splitter.push(half).unwrap_or_default());
            let again = halves.into_iter().flatten().chain(splitter.rest());
            same(&format!("frames, cut at {at}"), &again.eq([frame.clone()]), &true)?;
        }
    }
    Ok(())
}

/// A frame that breaks off in its middle says no end.
fn torn(dialect: Dialect, body: &str) -> Result<(), Failed> {
    for frame in Splitter::default().push(body.as_bytes()).map_err(|_| "a frame is too long")? {
        for at in [frame.len() / 3, frame.len() / 2, frame.len().saturating_sub(8)] {
            let torn: Bytes = [&frame[..at], b"\n\n"].concat().into();
            let read = dialect.decoder().decode(torn);
            if read.events.iter().any(is_end) {
                return Err(format!("an end in a torn frame: {read:?}").into());
            }
        }
    }
    Ok(())
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Finish(_) | Event::End)
}

fn events(frames: &[Frame]) -> impl Iterator<Item = &Event> {
    frames.iter().flat_map(|frame| &frame.events)
}

fn gathered(frames: &[Frame]) -> Answer {
    let mut answer = Answer::default();
    events(frames).for_each(|event| answer.add(event));
    answer
}
