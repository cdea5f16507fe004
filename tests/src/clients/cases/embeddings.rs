//! Embeddings, as numbers and as base64.

use serde_json::{Value, json};

use crate::clients::case::Case;
use crate::clients::sdk::{EVERY, OPENAI};
use crate::wall::embed::vector;

pub(super) fn cases() -> Vec<Case> {
    let texts = ["Zoë 👋", "two words"];
    let vectors: Vec<Value> = texts.iter().map(|text| json!(vector(text))).collect();
    let embed = |model: &str, more: Value| {
        let mut params = json!({ "model": model, "input": texts });
        for (name, value) in more.as_object().cloned().unwrap_or_default() {
            params[name] = value;
        }
        json!({ "op": "embed", "params": params })
    };
    let one = json!({ "op": "embed", "params": { "model": "embed", "input": texts[0] } });
    let given = json!({ "vectors": vectors, "usage_total": 4 });
    vec![
        // The openai SDKs ask for base64 when nothing is said, and decode it.
        Case::new("embeddings/default", EVERY, embed("embed", json!({}))).gives(given.clone()),
        Case::new("embeddings/one text", EVERY, one).gives(json!({ "vectors": [vectors[0]] })),
        Case::new("embeddings/float", OPENAI, embed("embed", json!({ "encoding_format": "float" })))
            .gives(given.clone())
            .sends(json!({ "encoding_format": "float" })),
        Case::new("embeddings/base64", OPENAI, embed("embed", json!({ "encoding_format": "base64" })))
            .gives(given)
            .gives(json!({ "encoded": [true, true] }))
            .sends(json!({ "encoding_format": "base64" })),
        Case::new(
            "embeddings/parameters",
            OPENAI,
            embed("embed", json!({ "dimensions": 4, "user": "user-1" })),
        )
        .sends(json!({ "dimensions": 4, "user": "user-1" })),
        Case::new("embeddings/unknown model", EVERY, embed("=nobody/nothing", json!({}))).raises(404),
        Case::new("embeddings/wrong key", EVERY, embed("embed", json!({}))).raises(401).calls(0).wrong_key(),
        Case::new("embeddings/the upstream's s429", EVERY, embed("s429", json!({}))).raises(429),
    ]
}
