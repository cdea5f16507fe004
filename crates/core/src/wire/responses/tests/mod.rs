//! Tests by direction. Recordings are replayed by the suite `captures`.

mod decode;
mod encode;
mod refusal;
mod request;
mod seals;

use bytes::Bytes;
use serde_json::{Value, json};

use super::Decoder;
use crate::wire::event::Event;
use crate::wire::json::Members;
use crate::wire::sse;

fn members(value: &Value) -> Members {
    Members::parse(value.to_string().as_bytes()).unwrap()
}

/// All events of a stream.
fn decode(frames: &[Value]) -> Vec<Event> {
    let mut decoder = Decoder::default();
    let frame = |data: &Value| sse::named(data["type"].as_str().unwrap_or("message"), data);
    frames.iter().flat_map(|data| decoder.decode(frame(data)).events).collect()
}

/// The data of written frames, whose names and numbers are checked.
fn data(written: &[u8]) -> Vec<Value> {
    let mut splitter = sse::Splitter::default();
    let mut frames = splitter.push(written).unwrap();
    frames.extend(splitter.rest());
    let read = |(number, frame): (usize, Bytes)| {
        let text = std::str::from_utf8(&frame).unwrap().to_owned();
        let data: Value = serde_json::from_str(&sse::data(&text).unwrap()).unwrap();
        assert!(text.starts_with(&format!("event: {}\n", data["type"].as_str().unwrap())), "{text}");
        assert_eq!(data["sequence_number"], json!(number), "{text}");
        data
    };
    frames.into_iter().enumerate().map(read).collect()
}
