//! What the dialect reads and writes.

mod around;
mod request;
mod stream;

use bytes::{Bytes, BytesMut};

use super::{Decoder, Encoder};
use crate::wire::answer::{Answer, Head};
use crate::wire::event::{Event, Usage};
use crate::wire::sse::Splitter;

pub(super) fn frames(body: &[u8]) -> Vec<Bytes> {
    let mut splitter = Splitter::default();
    let mut frames = splitter.push(body).unwrap();
    frames.extend(splitter.rest());
    frames
}

pub(super) fn decoded(body: &[u8]) -> Vec<Event> {
    let mut decoder = Decoder::default();
    frames(body).into_iter().flat_map(|frame| decoder.decode(frame).events).collect()
}

pub(super) fn answer(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    events.iter().for_each(|event| answer.add(event));
    answer
}

pub(super) fn head() -> Head {
    Head { id: "01J".to_owned(), model: "google/\"x\"".to_owned(), ..Head::default() }
}

pub(super) fn encoded(events: &[Event], usage: Usage) -> String {
    let (mut encoder, mut out) = (Encoder::new(head()), BytesMut::new());
    events.iter().for_each(|event| encoder.event(event, &mut out));
    encoder.tail(usage, &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

/// Names of calls and their arguments.
pub(super) fn calls(answer: &Answer) -> Vec<(String, String)> {
    answer.tools().map(|tool| (tool.name.clone().unwrap(), tool.arguments.clone())).collect()
}
