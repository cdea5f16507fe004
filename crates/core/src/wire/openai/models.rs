//! The list of models, as OpenAI writes it.

use serde_json::json;

/// `GET /v1/models` for the names that this deployment answers to.
pub fn models_of(names: &[String]) -> serde_json::Value {
    let data: Vec<_> = names.iter().map(|name| model_of(name)).collect();
    json!({"object": "list", "data": data})
}

/// One model: its owner is what stands before the slash.
pub fn model_of(name: &str) -> serde_json::Value {
    let owner = name.split_once('/').map_or("opencode", |(owner, _)| owner);
    json!({"id": name, "object": "model", "created": 0, "owned_by": owner})
}
