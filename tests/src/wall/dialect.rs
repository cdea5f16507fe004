//! The OpenAI dialect as the wall writes it.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A stream that is correct and unlike any other: comments, CRLF, odd spacing, key order and members. A gateway
/// that passes frames through forwards it byte for byte.
pub const ODD: &str = concat!(
    ": a comment before anything\n\n",
    "data:{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"x_mood\":[1,2.50,1e3]},\"index\":0}],",
    "\"object\":\"chat.completion.chunk\" , \"id\":\"odd-1\"}\n\n",
    "data:   {\"id\":\"odd-1\",  \"choices\":[ {\"index\":0,\"delta\":{\"content\":\"h\\u00e9llo\"}} ],\"zeta\":null}\n\n",
    "id: 7\r\nevent: message\r\ndata: {\"choices\":[{\"delta\":{\"content\":\" wörld\"},\"index\":0}],\"a\":{\"z\":1,\"b\":2}}\r\n\r\n",
    ": keep-alive\n\n",
    "data: {\"choices\":[{\"finish_reason\":\"stop\",\"delta\":{},\"index\":0}],\"id\":\"odd-1\"}\n\n",
    "data: {\"usage\":{\"total_tokens\":3,\"completion_tokens\":2,\"prompt_tokens\":1},\"choices\":[]}\n\n",
    "data: [DONE]\n\n",
);

/// The content that [`ODD`] and [`ODD_WHOLE`] add up to.
pub const ODD_TEXT: &str = "héllo wörld";

/// The same answer, not streamed.
pub const ODD_WHOLE: &str = concat!(
    "{ \"usage\":{\"total_tokens\":3,\"completion_tokens\":2,\"prompt_tokens\":1},\n  \"zeta\" : null,",
    "\"choices\":[{\"message\":{\"content\":\"h\\u00e9llo wörld\",\"role\":\"assistant\",\"x_mood\":[1,2.50,1e3]},",
    "\"finish_reason\":\"stop\",\"index\":0}],\"object\":\"chat.completion\" , \"id\":\"odd-1\"}",
);

/// The most answers to one call.
const MAX_CHOICES: usize = 8;

/// What was asked.
pub struct Asked {
    /// The model, fault and tag included.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether a stream ends with a usage frame.
    pub usage: bool,
    /// How many answers are wanted: `n`.
    pub choices: usize,
    /// The whole request.
    pub json: Value,
}

impl Asked {
    /// Reads a request's body; `None` when it is not a chat request.
    pub fn read(body: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(body).ok()?;
        Some(Self {
            model: json["model"].as_str()?.to_owned(),
            stream: json["stream"].as_bool().unwrap_or(false),
            usage: json["stream_options"]["include_usage"].as_bool().unwrap_or(false),
            choices: json["n"]
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(1)
                .clamp(1, MAX_CHOICES),
            json,
        })
    }

    /// `tok0 tok1 …`, each with its space.
    pub fn counted(count: usize) -> Vec<String> {
        (0..count).map(|n| if n == 0 { "tok0".to_owned() } else { format!(" tok{n}") }).collect()
    }

    /// The last user message and every parameter, as one JSON text.
    pub fn echo(&self) -> Vec<String> {
        let messages = self.json["messages"].as_array().cloned().unwrap_or_default();
        let user =
            messages.iter().rev().find(|message| message["role"] == "user").cloned().unwrap_or_default();
        let mut parameters = self.json.clone();
        if let Some(map) = parameters.as_object_mut() {
            map.remove("messages");
        }
        vec![json!({ "user": user["content"], "parameters": parameters }).to_string()]
    }

    /// Words that depend on the messages and on nothing else.
    pub fn stage(&self) -> Vec<String> {
        let digest = Sha256::digest(self.json["messages"].to_string().as_bytes());
        let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        vec!["stage".to_owned(), format!(" {}", &hex[..8]), format!(" {}", &hex[8..])]
    }

    /// The frame that names the role.
    pub fn role(&self) -> String {
        self.frame(&json!({ "role": "assistant", "content": "" }), &Value::Null)
    }

    /// A frame with a token.
    pub fn token(&self, text: &str) -> String {
        self.frame(&json!({ "content": text }), &Value::Null)
    }

    /// The frame with the finish reason.
    pub fn finish(&self) -> String {
        self.frame(&json!({}), &json!("stop"))
    }

    /// The usage frame, if it was asked for.
    pub fn usage_frame(&self, tokens: usize) -> String {
        if !self.usage {
            return String::new();
        }
        let mut chunk = self.chunk();
        chunk["choices"] = json!([]);
        chunk["usage"] = self.count(tokens);
        format!("data: {chunk}\n\n")
    }

    /// A whole answer; without a finish reason when it is cut short.
    pub fn whole(&self, tokens: &[String], finished: bool) -> String {
        let message = json!({ "role": "assistant", "content": tokens.concat(), "refusal": null });
        self.whole_of(&message, &json!(finished.then_some("stop")), tokens.len())
    }

    /// A whole answer with this message in every choice.
    pub(super) fn whole_of(&self, message: &Value, finish: &Value, tokens: usize) -> String {
        let choice = |index: usize| json!({ "index": index, "message": message, "logprobs": null, "finish_reason": finish });
        json!({
            "id": "chatcmpl-wall", "object": "chat.completion", "created": 1_700_000_000, "model": self.model,
            "choices": (0..self.choices).map(choice).collect::<Vec<_>>(), "usage": self.count(tokens),
        })
        .to_string()
    }

    /// The frames with this delta, one a choice.
    pub(super) fn frame(&self, delta: &Value, finish: &Value) -> String {
        let frame = |index: usize| {
            let mut chunk = self.chunk();
            chunk["choices"] =
                json!([{ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish }]);
            if self.usage {
                chunk["usage"] = Value::Null;
            }
            format!("data: {chunk}\n\n")
        };
        (0..self.choices).map(frame).collect()
    }

    fn chunk(&self) -> Value {
        json!({ "id": "chatcmpl-wall", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": self.model })
    }

    fn count(&self, tokens: usize) -> Value {
        let words = self.json["messages"].to_string().split_whitespace().count();
        json!({ "prompt_tokens": words, "completion_tokens": tokens, "total_tokens": words + tokens })
    }
}

/// The error that the wall reports, as a body or as an event's data.
pub fn error(message: &str) -> String {
    json!({ "error": { "message": message, "type": "server_error", "param": null, "code": null } })
        .to_string()
}
