//! What comes from upstream: read, judged, and written for callers of every dialect.

use bytes::Bytes;
use opencode_core::api::voice::{Platform, Speaker, Voice};
use opencode_core::call::{Call, Ended, Input, Plan, Planned, Shape, Step};
use opencode_core::config::Deadlines;
use opencode_core::host::Time;
use opencode_core::run::{Began, Final};
use opencode_core::wire::answer::{Answer, Block, Head};
use opencode_core::wire::event::{Event, Finish, Usage};
use opencode_core::wire::sse::{self, Splitter};
use opencode_core::wire::{Dialect, Frame, gemini};
use serde_json::Value;

use super::DIALECTS;

/// How an answer came out.
struct Played {
    frames: Vec<Frame>,
    ended: Ended,
    usage: Usage,
}

/// A provider's bytes, taken as a stream, as a whole answer and as the body of a refusal.
pub fn answers(dialect: Dialect, data: &[u8]) {
    let played = play(dialect, Shape::Stream, data);
    let read = read_again(&played);
    for caller in DIALECTS {
        let told = speak(caller, dialect != caller, dialect, &played);
        check_told(caller, dialect != caller, &played, &read, &told);
    }
    let platform = Voice::Platform(Platform::new("TRACE", "chat"));
    check_frames(None, &write(platform, dialect, &played));

    let whole = play(dialect, Shape::Whole, data);
    if whole.ended == Ended::Complete {
        check_whole(&whole);
    }
    for status in [200, 400, 403, 404, 429, 500, 529] {
        dialect.refusal(status, data);
    }
}

/// Gemini's Interactions have no callers: they are read, and an end comes once.
pub fn interactions(data: &[u8]) {
    let (mut decoder, mut splitter) = (gemini::interactions::Decoder::default(), Splitter::default());
    let mut frames = splitter.push(data).expect("inputs are smaller than a frame may be");
    frames.extend(splitter.rest());
    let (mut answer, mut ends) = (Answer::default(), 0);
    for frame in frames {
        let decoded = decoder.decode(frame.clone());
        assert_eq!(decoded.bytes, frame, "frames pass as they came");
        ends += decoded.events.iter().filter(|event| **event == Event::End).count();
        decoded.events.iter().for_each(|event| answer.add(event));
    }
    assert!(ends <= 1, "{ends} ends");
}

/// Plays bytes through a call with one target.
fn play(dialect: Dialect, shape: Shape, data: &[u8]) -> Played {
    let targets = vec![Planned { dialect, context: 0 }];
    let mut call =
        Call::new(Plan { targets, shape, deadlines: Deadlines::default(), ..Plan::default() }, Time(0));
    let (mut frames, mut ended) = (Vec::new(), None);
    let inputs = [
        Input::Head { attempt: 0, status: 200, retry_after: None },
        Input::Chunk { attempt: 0, bytes: Bytes::copy_from_slice(data) },
        Input::End { attempt: 0 },
    ];
    for input in inputs {
        call.handle(input, Time(1));
        while let Some(step) = call.next_step() {
            assert!(ended.is_none(), "{step:?} after the end");
            match step {
                Step::Emit { frames: more, .. } => frames.extend(more),
                Step::End(how) => ended = Some(how),
                Step::Send { .. } | Step::Cancel(_) => {}
            }
        }
    }
    let ended = ended.expect("an answer ends with its body");
    let usage = call.reports().first().and_then(|report| report.usage).unwrap_or_default();
    let finished =
        frames.iter().flat_map(|frame| &frame.events).any(|event| matches!(event, Event::Finish(_)));
    assert!(finished || ended != Ended::Complete, "complete without a reason");
    Played { frames, ended, usage }
}

fn speak(caller: Dialect, translated: bool, dialect: Dialect, played: &Played) -> Vec<u8> {
    let head = Head { id: "ID".into(), model: "model".into(), include_usage: true, ..Head::default() };
    write(Voice::Speaker(Box::new(Speaker::new(caller, !translated, head))), dialect, played)
}

/// What a caller sees, from the first byte to the last.
fn write(mut voice: Voice, dialect: Dialect, played: &Played) -> Vec<u8> {
    let mut bytes = voice.start().to_vec();
    if !played.frames.is_empty() {
        voice.began(&Began { target: "wall/m".to_owned(), dialect, ..Began::default() });
    }
    bytes.extend_from_slice(&voice.frames(&played.frames));
    let last = Final {
        made: None,
        ended: played.ended.clone(),
        answer: read_again(played),
        usage: played.usage,
        tried: Vec::new(),
    };
    bytes.extend_from_slice(&voice.tail(&last, "TRACE", 7));
    bytes
}

/// A stream cannot lie: read as its caller reads it, it is complete if the answer was, and says the same.
fn check_told(caller: Dialect, translated: bool, played: &Played, read: &Answer, told: &[u8]) {
    let again = play(caller, Shape::Stream, told);
    if played.ended != Ended::Complete {
        assert!(
            matches!(again.ended, Ended::Failed(_)),
            "a broken answer looks complete to a caller of {caller:?}:\n{}",
            String::from_utf8_lossy(told)
        );
    }
    if !translated {
        return;
    }
    check_frames(Some(caller), told);
    if played.ended == Ended::Complete {
        check_same(caller, read, &again, &String::from_utf8_lossy(told));
    }
}

fn check_whole(played: &Played) {
    let answer = read_again(played);
    let head = Head { id: "ID".into(), model: "model".into(), ..Head::default() };
    for caller in DIALECTS {
        let body = caller.whole(&head, &answer).to_string();
        check_same(caller, &answer, &play(caller, Shape::Whole, body.as_bytes()), &body);
    }
}

/// What a caller reads is what was said, or fails because its dialect cannot hold it.
fn check_same(caller: Dialect, answer: &Answer, again: &Played, told: &str) {
    // Gemini has no words for a call whose arguments are no object.
    let malformed = answer.tools().any(|tool| !is_object(&tool.arguments));
    if again.ended != Ended::Complete {
        assert!(caller == Dialect::Gemini && malformed, "{caller:?}: {:?}\n{told}", again.ended);
        return;
    }
    let heard = read_again(again);
    assert_eq!(said(&heard), said(answer), "to a caller of {caller:?}\n{told}");
    if caller != Dialect::Gemini || !malformed {
        assert_eq!(called(&heard), called(answer), "calls to a caller of {caller:?}\n{told}");
    }
    let cut = |answer: &Answer| match answer.finish {
        Some(Finish::Length | Finish::ContentFilter) => answer.finish,
        _ => None,
    };
    // Responses has no word for a pause but that the answer is incomplete.
    if answer.finish != Some(Finish::Paused) {
        assert_eq!(cut(&heard), cut(answer), "to a caller of {caller:?}\n{told}");
    }
}

/// Whole frames, each with one line of JSON or `[DONE]`; Gemini's errors stand bare.
fn check_frames(caller: Option<Dialect>, told: &[u8]) {
    let mut splitter = Splitter::default();
    for frame in splitter.push(told).expect("frames that are not too large") {
        let text = std::str::from_utf8(&frame).expect("UTF-8");
        let json = match sse::data(text) {
            Some(done) if done == "[DONE]" => {
                assert_eq!(caller, Some(Dialect::OpenAi));
                continue;
            }
            Some(data) => data.into_owned(),
            None => text.to_owned(),
        };
        assert!(serde_json::from_str::<Value>(&json).is_ok_and(|json| json.is_object()), "{text}");
    }
    assert_eq!(splitter.rest(), None, "the last frame is whole");
}

fn read_again(played: &Played) -> Answer {
    let mut answer = Answer::default();
    played.frames.iter().flat_map(|frame| &frame.events).for_each(|event| answer.add(event));
    answer
}

fn is_object(arguments: &str) -> bool {
    arguments.trim().is_empty() || serde_json::from_str::<Value>(arguments).is_ok_and(|it| it.is_object())
}

/// How many calls name a function: nobody can make the others.
fn called(answer: &Answer) -> usize {
    answer.tools().filter(|tool| tool.name.as_ref().is_some_and(|name| !name.is_empty())).count()
}

/// Texts and refusals, which most dialects have in one.
fn said(answer: &Answer) -> String {
    let texts = answer.blocks.iter().filter_map(|block| match block {
        Block::Text(text) | Block::Refusal(text) => Some(text.as_str()),
        Block::Thinking { .. } | Block::Tool(_) | Block::Run(_) => None,
    });
    texts.collect()
}
