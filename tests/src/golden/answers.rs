//! Streams: bytes in, through the state machine of one answer, and out in each caller's dialect.

use std::path::Path;

use bytes::Bytes;
use libtest_mimic::Failed;
use opencode_core::api::voice::Voice;
use opencode_core::call::{Call, Ended, Input, Plan, Shape, Step};
use opencode_core::config::Deadlines;
use opencode_core::host::Time;
use opencode_core::run::Final;
use opencode_core::wire::Frame;
use opencode_core::wire::event::{Event, Usage};

use super::expect;

/// What a stream comes to.
#[derive(Debug, Default, PartialEq)]
pub struct Played {
    /// The frames that were handed on.
    pub frames: Vec<Frame>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// Frames that could not be read.
    pub unreadable: u32,
    /// Token counts, if any were reported.
    pub usage: Option<Usage>,
}

/// Checks one case.
pub fn check(case: &Path) -> Result<(), Failed> {
    let body = std::fs::read(case.join("upstream.sse"))?;
    let whole = play(&[&body]);
    expect(case, "events.txt", &events(&whole))?;
    expect(case, "caller.openai.sse", &caller(&mut Voice::pass(false), &whole))?;
    expect(case, "caller.platform.sse", &caller(&mut Voice::platform("TRACE", "chat"), &whole))?;
    for (name, pieces) in splits(&body) {
        let played = play(&pieces);
        if played != whole {
            return Err(format!("{name}: another answer\n{}", events(&played)).into());
        }
    }
    Ok(())
}

/// Every byte alone, cut in two at every byte, and cut at random, with seeds.
fn splits(body: &[u8]) -> Vec<(String, Vec<&[u8]>)> {
    let mut splits = vec![("every byte".to_owned(), body.chunks(1).collect())];
    for at in 1..body.len() {
        let (head, tail) = body.split_at(at);
        splits.push((format!("cut at {at}"), vec![head, tail]));
    }
    for seed in 1..=50u64 {
        let (mut random, mut rest, mut pieces) = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), body, Vec::new());
        while !rest.is_empty() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let length = (random >> 33) as usize % 40 + 1;
            let (piece, tail) = rest.split_at(length.min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        splits.push((format!("seed {seed}"), pieces));
    }
    splits
}

/// Plays a body, in these pieces, through a call with one target.
pub fn play(pieces: &[&[u8]]) -> Played {
    let plan = Plan {
        targets: 1,
        shape: Shape::Stream,
        deadlines: Deadlines::default(),
        hedge: None,
        started: Time(0),
    };
    let mut call = Call::new(plan, Time(0));
    let mut played = Played::default();
    let inputs = pieces.iter().map(|piece| Input::Chunk { attempt: 0, bytes: Bytes::copy_from_slice(piece) });
    let head = Input::Head { attempt: 0, status: 200, retry_after: None };
    for input in std::iter::once(head).chain(inputs).chain([Input::End { attempt: 0 }]) {
        call.handle(input, Time(1));
        while let Some(step) = call.next_step() {
            match step {
                Step::Emit { frames, .. } => played.frames.extend(frames),
                Step::End(ended) => played.ended = Some(ended),
                Step::Send { .. } | Step::Cancel(_) => {}
            }
        }
    }
    if let Some(report) = call.reports().first() {
        played.unreadable = report.unreadable;
        played.usage = report.usage;
    }
    played
}

fn events(played: &Played) -> String {
    let mut lines: Vec<String> =
        played.frames.iter().flat_map(|frame| &frame.events).map(|event| format!("{event:?}")).collect();
    lines.push(format!("usage: {:?}", played.usage));
    lines.push(format!("unreadable: {}", played.unreadable));
    lines.push(format!("ended: {:?}", played.ended));
    lines.join("\n") + "\n"
}

/// What a caller sees, from the first byte to the last.
fn caller(voice: &mut Voice, played: &Played) -> String {
    let mut bytes = voice.start().to_vec();
    bytes.extend_from_slice(&voice.frames(&played.frames));
    let text = played.frames.iter().flat_map(|frame| &frame.events).filter_map(|event| match event {
        Event::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let last = Final {
        ended: played.ended.clone().unwrap_or(Ended::Left),
        text: text.collect(),
        tools: Vec::new(),
        finish: None,
        usage: played.usage.unwrap_or_default(),
        tried: Vec::new(),
    };
    bytes.extend_from_slice(&voice.tail(&last, "TRACE", 7));
    String::from_utf8_lossy(&bytes).into_owned()
}
