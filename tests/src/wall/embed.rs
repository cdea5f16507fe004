//! Embeddings as the wall makes them: four numbers that depend on the text alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::dialect::Dialect;
use super::dialect::chat::plain;
use super::fault::{self, Fault};
use super::{Call, End, Shared};
use crate::h1::Head;

/// Status and body of the answer. The model is `embed~tag`, or one of the statuses: `s429~tag`.
pub(super) fn answer(shared: &Shared, body: &[u8], head: &Head) -> (u16, String) {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let model = json["model"].as_str().unwrap_or_default();
    let (name, tag) = model.split_once('~').unwrap_or((model, ""));
    let known = (name == "embed").then_some(200).or_else(|| status(name));
    let (Some(status), Some(inputs)) = (known, inputs(&json["input"])) else {
        return (404, plain("the wall has no such model, or the input is none"));
    };
    let call = Call::new(Dialect::Chat, model, false, body, head, shared.start.elapsed());
    {
        let mut book = shared.book.lock().unwrap();
        let index = book.came(tag, call);
        book.headed(tag);
        let call = book.call(tag, index);
        (call.status, call.end, call.ended) = (Some(status), End::Completed, Some(shared.start.elapsed()));
    }
    if status != 200 {
        return (status, plain(&format!("the wall answers {status}")));
    }
    let as_text = json["encoding_format"] == "base64";
    let data = inputs.iter().enumerate().map(|(index, input)| {
        json!({ "object": "embedding", "index": index, "embedding": embedding(input, as_text) })
    });
    let tokens = inputs.iter().map(|input| input.split_whitespace().count()).sum::<usize>();
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    let data: Vec<Value> = data.collect();
    (200, json!({ "object": "list", "data": data, "model": model, "usage": usage }).to_string())
}

/// The numbers that stand for a text: odd sixteenths between -16 and 16, which every float keeps and no language writes
/// as a whole number.
pub fn vector(text: &str) -> [f32; 4] {
    let digest = Sha256::digest(text.as_bytes());
    std::array::from_fn(|at| f32::from(digest[at].cast_signed()) / 8.0 + 0.0625)
}

/// As numbers, or as base64 of their bytes in little-endian order.
fn embedding(text: &str, as_text: bool) -> Value {
    let vector = vector(text);
    if as_text { json!(STANDARD.encode(vector.map(f32::to_le_bytes).concat())) } else { json!(vector) }
}

/// One text or a list of them.
fn inputs(input: &Value) -> Option<Vec<String>> {
    match input {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn status(name: &str) -> Option<u16> {
    match fault::parse(name)?.0.fault {
        Fault::Status(status, _) => Some(status),
        _ => None,
    }
}
