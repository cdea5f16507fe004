//! Callers of every surface: what each sends, and what it makes of an answer.

use serde_json::{Value, json};

use crate::client::Request;
use crate::hosts::ctx::Ctx;
use crate::sse::{self, Event};

/// A surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // One for each.
pub enum Caller {
    OpenAi,
    Responses,
    Anthropic,
    Gemini,
    Platform,
}

/// All of them, with their names.
pub const ALL: [(&str, Caller); 5] = [
    ("openai", Caller::OpenAi),
    ("responses", Caller::Responses),
    ("anthropic", Caller::Anthropic),
    ("gemini", Caller::Gemini),
    ("platform", Caller::Platform),
];

/// What a caller was told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The answer's text.
    pub text: String,
    /// The dialect's reason for the end.
    pub finish: Option<String>,
    /// The dialect's sign that the answer is whole.
    pub ended: bool,
    /// What the dialect's error says.
    pub error: Option<String>,
    /// Events after the error or the end: none, in a truthful stream.
    pub after: usize,
}

impl Caller {
    /// A request with these targets, in order.
    pub fn request(self, ctx: &Ctx, stream: bool, targets: &str) -> Request {
        let question = "hello from the other side of the wall";
        let first = targets.split(',').next().unwrap_or_default();
        let (path, body) = match self {
            Self::OpenAi => {
                let messages = json!([{"role": "user", "content": question}]);
                (
                    "/v1/chat/completions".to_owned(),
                    json!({"model": first, "messages": messages, "stream": stream}),
                )
            }
            Self::Responses => {
                ("/v1/responses".to_owned(), json!({"model": first, "input": question, "stream": stream}))
            }
            Self::Anthropic => {
                let messages = json!([{"role": "user", "content": question}]);
                let body = json!({"model": first, "max_tokens": 500, "messages": messages, "stream": stream});
                ("/v1/messages".to_owned(), body)
            }
            Self::Gemini => {
                let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                let contents = json!([{"role": "user", "parts": [{"text": question}]}]);
                (format!("/v1beta/models/{first}:{method}"), json!({"contents": contents}))
            }
            Self::Platform => {
                let path = if stream { "/api/v1/chat/stream" } else { "/api/v1/chat" };
                (path.to_owned(), json!({"query": question, "model": first}))
            }
        };
        let request = ctx.post(&path, &body).header("x-opencode-targets", targets);
        match self {
            Self::Anthropic => request.header("x-api-key", &ctx.keys.acme),
            Self::Gemini => request.header("x-goog-api-key", &ctx.keys.acme),
            _ => request.key(&ctx.keys.acme),
        }
    }

    /// What a stream says.
    pub fn stream(self, text: &str) -> Result<Seen, String> {
        let (mut buffer, mut seen) = (text.to_owned(), Seen::default());
        while let Some(frame) = sse::cut(&mut buffer) {
            let Some(event) = sse::parse(&frame) else { continue };
            if seen.error.is_some() || seen.ended {
                seen.after += 1;
            }
            self.event(&event, &mut seen);
        }
        if self == Self::Gemini {
            // It has no terminator: its last frame's reason is the end.
            seen.ended = seen.finish.is_some();
        }
        if buffer.trim().is_empty() {
            Ok(seen)
        } else {
            Err(format!("the stream ends inside a frame: {buffer:?}"))
        }
    }

    fn event(self, event: &Event, seen: &mut Seen) {
        let json = event.json();
        let word = |value: &Value| value.as_str().map(str::to_owned);
        match self {
            Self::OpenAi => {
                seen.ended |= event.data == "[DONE]";
                seen.text.push_str(json["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
                seen.finish = word(&json["choices"][0]["finish_reason"]).or(seen.finish.take());
                seen.error = word(&json["error"]["message"]).or(seen.error.take());
            }
            Self::Responses => match json["type"].as_str().unwrap_or_default() {
                "response.output_text.delta" => {
                    seen.text.push_str(json["delta"].as_str().unwrap_or_default())
                }
                "response.completed" | "response.incomplete" => {
                    seen.ended = true;
                    let reason = &json["response"]["incomplete_details"]["reason"];
                    seen.finish = word(reason).or(word(&json["response"]["status"]));
                }
                "error" => seen.error = word(&json["message"]),
                "response.failed" => seen.error = word(&json["response"]["error"]["message"]),
                _ => {}
            },
            Self::Anthropic => match event.name.as_str() {
                "content_block_delta" => {
                    seen.text.push_str(json["delta"]["text"].as_str().unwrap_or_default())
                }
                "message_delta" => seen.finish = word(&json["delta"]["stop_reason"]),
                "message_stop" => seen.ended = true,
                "error" => seen.error = word(&json["error"]["message"]),
                _ => {}
            },
            Self::Gemini => {
                let candidate = &json["candidates"][0];
                for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
                    seen.text.push_str(part["text"].as_str().unwrap_or_default());
                }
                seen.finish = reason(&json).or(seen.finish.take());
                seen.error = word(&json["error"]["message"]).or(seen.error.take());
            }
            Self::Platform => match event.name.as_str() {
                "token" => seen.text.push_str(json["text"].as_str().unwrap_or_default()),
                "result" => seen.finish = Some("stop".to_owned()),
                "end" => seen.ended = true,
                "error" => seen.error = word(&json["detail"]),
                _ => {}
            },
        }
    }

    /// What a whole answer says.
    pub fn whole(self, json: &Value) -> Seen {
        let word = |value: &Value| value.as_str().map(str::to_owned);
        let texts = |parts: &Value| -> String {
            parts.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).collect()
        };
        let (text, finish) = match self {
            Self::OpenAi => {
                let choice = &json["choices"][0];
                (word(&choice["message"]["content"]).unwrap_or_default(), word(&choice["finish_reason"]))
            }
            Self::Responses => {
                let items = json["output"].as_array().into_iter().flatten();
                let text = items.map(|item| texts(&item["content"])).collect();
                (text, word(&json["incomplete_details"]["reason"]).or(word(&json["status"])))
            }
            Self::Anthropic => (texts(&json["content"]), word(&json["stop_reason"])),
            Self::Gemini => {
                let candidate = &json["candidates"][0];
                (texts(&candidate["content"]["parts"]), reason(json))
            }
            Self::Platform => (word(&json["result"]).unwrap_or_default(), Some("stop".to_owned())),
        };
        Seen { text, ended: finish.is_some(), finish, error: None, after: 0 }
    }

    /// The dialect's word for content that was withheld.
    pub fn withheld(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "content_filter",
            Self::Anthropic => "refusal",
            Self::Gemini => "SAFETY",
            Self::Platform => "stop",
        }
    }

    /// What an error that is not in a stream says.
    pub fn refusal(self, json: &Value) -> Option<String> {
        let message = match self {
            Self::Platform => &json["detail"],
            _ => &json["error"]["message"],
        };
        message.as_str().map(str::to_owned)
    }
}

/// Gemini's reason; a blocked prompt has one of its own and no candidates.
fn reason(json: &Value) -> Option<String> {
    let blocked = json["promptFeedback"]["blockReason"].is_string().then(|| "SAFETY".to_owned());
    json["candidates"][0]["finishReason"].as_str().map(str::to_owned).or(blocked)
}
