//! Streams: bytes in, through the state machine of one answer, and out in each caller's dialect.

use std::path::Path;

use bytes::Bytes;
use libtest_mimic::Failed;
use opencode_core::api::voice::{Platform, Speaker, Voice};
use opencode_core::call::{Call, Ended, Input, Plan, Planned, Shape, Step};
use opencode_core::config::Deadlines;
use opencode_core::host::Time;
use opencode_core::run::{Began, Final};
use opencode_core::wire::answer::Answer;
use opencode_core::wire::event::Usage;
use opencode_core::wire::{Dialect, Frame};

use super::{DIALECTS, expect, head};

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
pub fn check(dialect: Dialect, case: &Path) -> Result<(), Failed> {
    let body = std::fs::read(case.join("upstream.sse"))?;
    let whole = play(dialect, &[&body]);
    expect(case, "events.txt", &events(&whole))?;
    for (name, spoken) in DIALECTS {
        let speaker = Speaker::new(spoken, true, head());
        let seen = caller(Voice::Speaker(Box::new(speaker)), dialect, &whole);
        expect(case, &format!("caller.{name}.sse"), &seen)?;
    }
    let platform = Voice::Platform(Platform::new("TRACE", "chat"));
    expect(case, "caller.platform.sse", &caller(platform, dialect, &whole))?;
    for (name, pieces) in splits(&body) {
        let played = play(dialect, &pieces);
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
pub fn play(dialect: Dialect, pieces: &[&[u8]]) -> Played {
    let plan = Plan {
        targets: vec![Planned { dialect, context: 0 }],
        shape: Shape::Stream,
        deadlines: Deadlines::default(),
        ..Plan::default()
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
fn caller(mut voice: Voice, dialect: Dialect, played: &Played) -> String {
    let mut bytes = voice.start().to_vec();
    if !played.frames.is_empty() {
        voice.began(&Began { target: "wall/m".to_owned(), dialect, ..Began::default() });
    }
    bytes.extend_from_slice(&voice.frames(&played.frames));
    let mut answer = Answer::default();
    played.frames.iter().flat_map(|frame| &frame.events).for_each(|event| answer.add(event));
    let last = Final {
        made: None,
        ended: played.ended.clone().unwrap_or(Ended::Left),
        answer,
        usage: played.usage.unwrap_or_default(),
        tried: Vec::new(),
    };
    bytes.extend_from_slice(&voice.tail(&last, "TRACE", 7));
    String::from_utf8_lossy(&bytes).into_owned()
}
