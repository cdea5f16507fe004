//! Asks in each dialect, and reads what comes back as plainly as can be.

use std::fmt::{self, Display};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Request, Response};
use crate::sse;
use crate::wall::{Dialect, KEY, SEAL, Wall};

/// How long nothing may come before a stream counts as stalled.
const PATIENCE: Duration = Duration::from_millis(250);

/// A conversation of one message, in the dialect's words.
pub fn body(dialect: Dialect, model: &str, stream: bool) -> Value {
    let hi = json!([{ "role": "user", "content": "hi" }]);
    match dialect {
        Dialect::Chat => json!({
            "model": model, "stream": stream, "messages": hi, "stream_options": { "include_usage": true },
        }),
        Dialect::Responses => {
            json!({ "model": model, "stream": stream, "input": hi, "include": ["reasoning.encrypted_content"] })
        }
        Dialect::Messages => json!({ "model": model, "stream": stream, "messages": hi, "max_tokens": 100 }),
        Dialect::Gemini => json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] }),
    }
}

/// The request without a credential.
pub fn bare(wall: &Wall, dialect: Dialect, model: &str, stream: bool, body: &Value) -> Request {
    let base = wall.base(dialect);
    let url = match dialect {
        Dialect::Chat => format!("{base}/chat/completions"),
        Dialect::Responses => format!("{base}/responses"),
        Dialect::Messages => format!("{base}/messages"),
        Dialect::Gemini => {
            let model = model.replace(':', "%3A");
            let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            format!("{base}/models/{model}:{method}")
        }
    };
    Request::post(url, body).header("anthropic-version", "2023-06-01")
}

/// The request with the wall's key.
pub fn request(wall: &Wall, dialect: Dialect, model: &str, stream: bool, body: &Value) -> Request {
    let (name, before) = dialect.credential();
    bare(wall, dialect, model, stream, body).header(name, &format!("{before}{KEY}"))
}

/// A conversation of one message, as a request with the wall's key.
pub fn ask(wall: &Wall, dialect: Dialect, model: &str, stream: bool) -> Request {
    request(wall, dialect, model, stream, &body(dialect, model, stream))
}

/// The request with another conversation.
pub fn with(dialect: Dialect, model: &str, stream: bool, talk: Value) -> Value {
    let mut body = body(dialect, model, stream);
    let member = match dialect {
        Dialect::Chat | Dialect::Messages => "messages",
        Dialect::Responses => "input",
        Dialect::Gemini => "contents",
    };
    body[member] = talk;
    body
}

/// Reads an answer of either kind.
pub async fn read(dialect: Dialect, stream: bool, response: &mut Response) -> Seen {
    if stream { Seen::stream(dialect, response).await } else { Seen::whole(dialect, response).await }
}

/// What an answer was, in neutral words.
#[derive(Debug, Default)]
pub struct Seen {
    pub text: String,
    pub thoughts: String,
    pub sealed: bool,
    pub calls: Vec<(String, String)>,
    pub finish: Option<&'static str>,
    /// Whether the dialect's own terminator came.
    pub end: bool,
    /// The output tokens that were reported at the end.
    pub usage: Option<u64>,
    pub error: bool,
    /// Frames that are not JSON.
    pub bad: usize,
    /// Signs of life before any content.
    pub beats: usize,
    /// How the body ended: `eof`, `broken`, or `open` when nothing more came.
    pub close: &'static str,
    /// How many frames came, and how many of them with CRLF.
    pub frames: usize,
    pub crlf: usize,
    begun: bool,
}

impl Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.text.matches("tok").count())?;
        if let Some(finish) = self.finish {
            write!(f, " {finish}")?;
        }
        let flags = [("end", self.end), ("error", self.error), ("bad", self.bad == 1)];
        for (word, _) in flags.iter().filter(|(_, set)| *set) {
            write!(f, " {word}")?;
        }
        if let Some(usage) = self.usage {
            write!(f, " usage={usage}")?;
        }
        if self.beats > 0 {
            write!(f, " beats={}", self.beats)?;
        }
        write!(f, " {}", self.close)
    }
}

/// The body as far as it comes, and how it ends.
async fn raw(response: &mut Response) -> (String, &'static str) {
    let mut bytes = Vec::new();
    loop {
        match tokio::time::timeout(PATIENCE, response.piece()).await {
            Ok(Ok(Some(piece))) => bytes.extend_from_slice(&piece),
            Ok(Ok(None)) => return (String::from_utf8(bytes).unwrap(), "eof"),
            Ok(Err(_)) => return (String::from_utf8_lossy(&bytes).into_owned(), "broken"),
            Err(_) => return (String::from_utf8_lossy(&bytes).into_owned(), "open"),
        }
    }
}

impl Seen {
    /// Reads a stream.
    pub async fn stream(dialect: Dialect, response: &mut Response) -> Self {
        let (mut rest, close) = raw(response).await;
        let mut seen = Self { close, ..Self::default() };
        while let Some(frame) = sse::cut(&mut rest) {
            seen.crlf += usize::from(frame.ends_with("\r\n\r\n"));
            seen.frames += 1;
            seen.frame(dialect, &frame);
        }
        if !rest.is_empty() {
            let error: Value = serde_json::from_str(&rest).unwrap();
            seen.error = error["error"]["status"].is_string();
        }
        seen
    }

    /// Reads an answer that is not streamed.
    pub async fn whole(dialect: Dialect, response: &mut Response) -> Self {
        let (text, close) = raw(response).await;
        let mut seen = Self { close, ..Self::default() };
        if close != "eof" {
            return seen;
        }
        match serde_json::from_str(&text) {
            Ok(json) => seen.json(dialect, &json),
            Err(_) => seen.bad = 1,
        }
        seen
    }

    fn frame(&mut self, dialect: Dialect, frame: &str) {
        if frame.starts_with(':') {
            self.beat();
            return;
        }
        let event = sse::parse(frame).unwrap();
        if event.data == "[DONE]" {
            self.end = true;
            return;
        }
        let Ok(json) = serde_json::from_str::<Value>(&event.data) else {
            self.bad += 1;
            return;
        };
        if matches!(dialect, Dialect::Responses | Dialect::Messages) {
            assert_eq!(json["type"], event.name.as_str(), "{frame}");
        }
        match dialect {
            Dialect::Chat => self.chat(&json, "delta"),
            Dialect::Responses => self.response_event(&json),
            Dialect::Messages => self.message_event(&json),
            Dialect::Gemini => self.gemini(&json),
        }
    }

    fn json(&mut self, dialect: Dialect, json: &Value) {
        match dialect {
            Dialect::Chat => self.chat(json, "message"),
            Dialect::Responses => self.response(json),
            Dialect::Messages => self.message(json),
            Dialect::Gemini => self.gemini(json),
        }
    }

    fn beat(&mut self) {
        self.beats += usize::from(!self.begun);
    }

    fn say(&mut self, text: &Value) {
        self.text.push_str(text.as_str().unwrap_or_default());
        self.begun = true;
    }

    fn chat(&mut self, json: &Value, member: &str) {
        self.error |= json["error"].is_object();
        let choice = &json["choices"][0];
        let delta = &choice[member];
        self.thoughts += delta["reasoning_content"].as_str().unwrap_or_default();
        if let Some(text) = delta["content"].as_str().filter(|text| !text.is_empty()) {
            self.say(&json!(text));
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            if let Some(name) = function["name"].as_str() {
                self.calls.push((name.to_owned(), String::new()));
            }
            let index = call["index"].as_u64().map_or(self.calls.len() - 1, |index| index as usize);
            self.calls[index].1 += function["arguments"].as_str().unwrap();
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish = Some(match reason {
                "stop" => "stop",
                "tool_calls" => "tools",
                "content_filter" => "filtered",
                _ => "length",
            });
        }
        self.usage = json["usage"]["completion_tokens"].as_u64().or(self.usage);
    }

    fn response_event(&mut self, json: &Value) {
        assert!(json["sequence_number"].is_u64());
        match json["type"].as_str().unwrap() {
            "response.output_text.delta" => self.say(&json["delta"]),
            "response.reasoning_summary_text.delta" => self.thoughts += json["delta"].as_str().unwrap(),
            "response.function_call_arguments.delta" => {
                self.calls.last_mut().unwrap().1 += json["delta"].as_str().unwrap();
            }
            "response.output_item.added" if json["item"]["type"] == "function_call" => {
                self.calls.push((json["item"]["name"].as_str().unwrap().to_owned(), String::new()));
            }
            "response.output_item.done" => self.sealed |= json["item"]["encrypted_content"] == SEAL,
            "error" => self.error = json["message"].is_string(),
            "response.failed" => self.error = json["response"]["error"]["code"].is_string(),
            "response.completed" | "response.incomplete" => {
                self.end = true;
                let streamed = std::mem::take(self);
                self.response(&json["response"]);
                assert_eq!(
                    (&self.text, &self.thoughts, &self.calls),
                    (&streamed.text, &streamed.thoughts, &streamed.calls)
                );
                (self.end, self.beats, self.bad) = (true, streamed.beats, streamed.bad);
                (self.close, self.frames, self.crlf) = (streamed.close, streamed.frames, streamed.crlf);
            }
            _ => {}
        }
    }

    fn response(&mut self, json: &Value) {
        for item in json["output"].as_array().into_iter().flatten() {
            match item["type"].as_str().unwrap() {
                "reasoning" => {
                    self.thoughts += item["summary"][0]["text"].as_str().unwrap();
                    self.sealed = item["encrypted_content"] == SEAL;
                }
                "function_call" => {
                    let part = |name: &str| item[name].as_str().unwrap().to_owned();
                    self.calls.push((part("name"), part("arguments")));
                }
                _ => self.say(&item["content"][0]["text"]),
            }
        }
        self.finish = match (json["status"].as_str().unwrap(), json["incomplete_details"]["reason"].as_str())
        {
            ("completed", _) if self.calls.is_empty() => Some("stop"),
            ("completed", _) => Some("tools"),
            ("incomplete", Some("content_filter")) => Some("filtered"),
            ("incomplete", Some(_)) => Some("length"),
            _ => None,
        };
        self.error = json["status"] == "failed" && json["error"]["code"].is_string();
        self.usage = json["usage"]["output_tokens"].as_u64();
    }

    fn message_event(&mut self, json: &Value) {
        let delta = &json["delta"];
        match json["type"].as_str().unwrap() {
            "ping" => self.beat(),
            "content_block_start" => {
                self.begun = true;
                if let Some(name) = json["content_block"]["name"].as_str() {
                    self.calls.push((name.to_owned(), String::new()));
                }
            }
            "content_block_delta" => match delta["type"].as_str().unwrap() {
                "text_delta" => self.say(&delta["text"]),
                "thinking_delta" => self.thoughts += delta["thinking"].as_str().unwrap(),
                "signature_delta" => self.sealed = delta["signature"] == SEAL,
                _ => self.calls.last_mut().unwrap().1 += delta["partial_json"].as_str().unwrap(),
            },
            "message_delta" => {
                self.finish = stop_reason(&delta["stop_reason"]);
                self.usage = json["usage"]["output_tokens"].as_u64();
            }
            "message_stop" => self.end = true,
            "error" => self.error = json["error"]["type"].is_string(),
            _ => {}
        }
    }

    fn message(&mut self, json: &Value) {
        for block in json["content"].as_array().into_iter().flatten() {
            match block["type"].as_str().unwrap() {
                "text" => self.say(&block["text"]),
                "thinking" => {
                    self.thoughts += block["thinking"].as_str().unwrap();
                    self.sealed = block["signature"] == SEAL;
                }
                _ => {
                    self.calls.push((block["name"].as_str().unwrap().to_owned(), block["input"].to_string()))
                }
            }
        }
        self.finish = stop_reason(&json["stop_reason"]);
        self.usage = json["usage"]["output_tokens"].as_u64();
        self.error = json["type"] == "error" && json["error"]["type"].is_string();
    }

    fn gemini(&mut self, json: &Value) {
        let candidate = &json["candidates"][0];
        let finish = candidate["finishReason"].as_str();
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            self.sealed |= part["thoughtSignature"] == SEAL;
            match (part["text"].as_str(), part["thought"] == true) {
                (Some(thought), true) => self.thoughts += thought,
                (Some(""), false) if finish.is_none() => self.beat(),
                (Some(_), false) => self.say(&part["text"]),
                (None, _) => {
                    let call = &part["functionCall"];
                    self.calls.push((call["name"].as_str().unwrap().to_owned(), call["args"].to_string()));
                }
            }
        }
        self.error |= json["error"]["status"].is_string();
        if json["promptFeedback"]["blockReason"].is_string() {
            self.finish = Some("filtered");
        }
        let Some(finish) = finish else { return };
        self.finish = Some(match finish {
            "STOP" if self.calls.is_empty() => "stop",
            "STOP" => "tools",
            "SAFETY" => "filtered",
            _ => "length",
        });
        let counts = &json["usageMetadata"];
        let thoughts = counts["thoughtsTokenCount"].as_u64().unwrap_or(0);
        self.usage = counts["candidatesTokenCount"].as_u64().map(|tokens| tokens + thoughts);
    }
}

fn stop_reason(reason: &Value) -> Option<&'static str> {
    Some(match reason.as_str()? {
        "end_turn" => "stop",
        "tool_use" => "tools",
        "refusal" => "filtered",
        _ => "length",
    })
}
