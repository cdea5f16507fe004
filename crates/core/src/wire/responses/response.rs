//! The response object.

use serde_json::{Map, Value, json};

use crate::wire::answer::Head;
use crate::wire::event::{Finish, Usage};
use crate::wire::json::{Members, fixed};

/// Members of the caller's request that every response object repeats: what belongs into `Head::echo`.
pub const ECHOED: &[&str] = &[
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// How an answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It goes on.
    InProgress,
    /// It ended.
    Ended(Option<Finish>),
}

impl Status {
    /// As responses and items name it. A pause, and an end without a reason, are no completion.
    pub fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Ended(Some(Finish::Stop | Finish::ToolCalls)) => "completed",
            Self::Ended(_) => "incomplete",
        }
    }

    /// The reasons that OpenAI has.
    fn details(self) -> Value {
        match self {
            Self::Ended(Some(Finish::Length)) => json!({"reason": "max_output_tokens"}),
            Self::Ended(Some(Finish::ContentFilter)) => json!({"reason": "content_filter"}),
            _ => Value::Null,
        }
    }
}

/// What does not change while an answer goes on: the head's members and the caller's.
#[derive(Debug)]
pub struct Frame(Map<String, Value>);

/// What the description requires, with OpenAI's defaults.
const DEFAULTS: &str = r#"{"object":"response","background":false,"completed_at":null,"error":null,
    "previous_response_id":null,"store":false,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,
    "metadata":{},"parallel_tool_calls":true,"reasoning":{"effort":null,"summary":null},"temperature":null,
    "tool_choice":"auto","top_p":null,"truncation":"disabled"}"#;

impl Frame {
    /// Members that the description requires are there, with OpenAI's defaults, where the caller left them out.
    pub fn new(head: &Head) -> Self {
        let mut object = match fixed(DEFAULTS) {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        let mut set = |name: &str, value: Value| object.insert(name.to_owned(), value);
        set("id", format!("resp_{}", head.id).into());
        set("created_at", head.created.into());
        set("model", head.model.as_str().into());
        for name in ECHOED.iter().filter(|name| !matches!(**name, "text" | "tools")) {
            if let Some(value) = echoed(&head.echo, name) {
                set(name, value);
            }
        }
        set("text", text(&head.echo));
        set("tools", tools(&head.echo));
        Self(object)
    }

    /// The whole object. `usage` stands only at the end.
    pub fn response(&self, status: Status, output: Vec<Value>, usage: Option<Usage>) -> Value {
        let mut object = self.0.clone();
        object.insert("status".to_owned(), json!(status.name()));
        object.insert("incomplete_details".to_owned(), status.details());
        object.insert("output".to_owned(), Value::Array(output));
        if let Some(usage) = usage {
            object.insert("usage".to_owned(), counts(usage));
        }
        Value::Object(object)
    }
}

fn echoed(echo: &Members, name: &str) -> Option<Value> {
    echo.read::<Value>(name).ok().flatten()
}

fn text(echo: &Members) -> Value {
    let mut text = echoed(echo, "text").filter(Value::is_object).unwrap_or_else(|| json!({}));
    if let Some(text) = text.as_object_mut() {
        text.retain(|_, value| !value.is_null());
        text.entry("format").or_insert_with(|| json!({"type": "text"}));
    }
    text
}

/// Functions have all members that the description requires of them.
fn tools(echo: &Members) -> Value {
    let mut tools = echoed(echo, "tools").filter(Value::is_array).unwrap_or_else(|| json!([]));
    for tool in tools.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        if tool.get("type").and_then(Value::as_str) == Some("function") {
            for name in ["parameters", "strict"] {
                tool.entry(name).or_insert(Value::Null);
            }
        }
    }
    tools
}

fn counts(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}
