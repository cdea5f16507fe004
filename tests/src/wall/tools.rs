//! Tool calls as the wall makes them, in the OpenAI dialect.

use serde_json::{Value, json};

use super::dialect::Asked;
use super::fault::TOKENS;

const CITIES: [&str; 4] = ["Paris", "Rome", "Łódź", "\"Quito\""];

/// The calls of one answer.
pub struct Calls(Vec<Call>);

struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Calls {
    /// So many calls of the first tool that was offered, each about another city.
    pub fn of(asked: &Asked, count: usize) -> Self {
        let name = asked.json["tools"][0]["function"]["name"].as_str().unwrap_or("weather");
        let cities = CITIES.iter().cycle().take(count).enumerate();
        Self(
            cities
                .map(|(index, city)| Call {
                    id: format!("call_wall_{index}"),
                    name: name.to_owned(),
                    arguments: json!({ "city": city }).to_string(),
                })
                .collect(),
        )
    }

    /// A whole answer with them.
    pub fn whole(&self, asked: &Asked) -> String {
        let calls = self.0.iter().map(|call| {
            json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": call.arguments } })
        });
        let message = json!({ "role": "assistant", "content": null, "refusal": null, "tool_calls": calls.collect::<Vec<_>>() });
        asked.whole_of(&message, &json!("tool_calls"), TOKENS)
    }

    /// Their frames: the role, then each call's name and its arguments in pieces, then the finish reason.
    pub fn frames(&self, asked: &Asked) -> String {
        let mut frames = asked.frame(&json!({ "role": "assistant", "content": null }), &Value::Null);
        for (index, call) in self.0.iter().enumerate() {
            let first = json!({
                "index": index, "id": call.id, "type": "function",
                "function": { "name": call.name, "arguments": "" },
            });
            frames += &asked.frame(&json!({ "tool_calls": [first] }), &Value::Null);
            for piece in pieces(&call.arguments) {
                let next = json!({ "index": index, "function": { "arguments": piece } });
                frames += &asked.frame(&json!({ "tool_calls": [next] }), &Value::Null);
            }
        }
        frames + &asked.frame(&json!({}), &json!("tool_calls"))
    }
}

impl Asked {
    /// What the first tool said, when the last message is a tool's.
    pub fn tool_result(&self) -> Option<String> {
        let messages = self.json["messages"].as_array()?;
        let from_tool = |message: &Value| message["role"] == "tool";
        messages.last().filter(|message| from_tool(message))?;
        let first = messages.iter().find(|message| from_tool(message))?;
        Some(first["content"].as_str().map_or_else(|| first["content"].to_string(), str::to_owned))
    }
}

/// Pieces of a few characters each.
fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(4).map(|piece| piece.iter().collect()).collect()
}
