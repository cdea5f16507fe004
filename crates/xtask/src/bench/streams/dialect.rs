//! The four dialects as their streams look: what an upstream sends, and how a caller asks and sees the end.

use std::fs;

use serde_json::{Value, json};

use crate::failure::{Doing, Result, failed};
use crate::workspace;

/// What is spoken to callers and upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// OpenAI's chat completions.
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini's `streamGenerateContent`.
    Gemini,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OpenAi, Self::Responses, Self::Anthropic, Self::Gemini];

    /// In the configuration and the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The version that a base URL ends with.
    pub fn version(self) -> &'static str {
        if self == Self::Gemini { "v1beta" } else { "v1" }
    }

    /// Below the version, where a streamed answer is asked for.
    pub fn path(self, model: &str) -> String {
        match self {
            Self::OpenAi => "chat/completions".to_owned(),
            Self::Responses => "responses".to_owned(),
            Self::Anthropic => "messages".to_owned(),
            Self::Gemini => format!("models/{model}:streamGenerateContent?alt=sse"),
        }
    }

    /// The dialect that a path belongs to.
    pub fn of(path: &str) -> Option<Self> {
        let known = |dialect: &Self| match dialect {
            Self::Gemini => path.ends_with(":streamGenerateContent?alt=sse"),
            _ => path.ends_with(&dialect.path("")),
        };
        Self::ALL.into_iter().find(known)
    }

    /// A question of about a hundred bytes.
    pub fn body(self, model: &str) -> String {
        let text = "What does a gateway do?";
        let messages = json!([{"role": "user", "content": text}]);
        let body: Value = match self {
            Self::OpenAi => {
                let options = json!({"include_usage": true});
                json!({"model": model, "stream": true, "stream_options": options, "messages": messages})
            }
            Self::Responses => json!({"model": model, "stream": true, "store": false, "input": text}),
            Self::Anthropic => {
                json!({"model": model, "stream": true, "max_tokens": 4096, "messages": messages})
            }
            Self::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        };
        body.to_string()
    }

    /// What a genuine end holds, and nothing before it.
    pub fn end(self) -> &'static str {
        match self {
            Self::OpenAi => "data: [DONE]",
            Self::Responses => "event: response.completed",
            Self::Anthropic => "event: message_stop",
            // Spaced by Google, not by us.
            Self::Gemini => "\"finishReason\":",
        }
    }

    /// The stream as its provider sends it.
    pub fn stream(self) -> Result<Stream> {
        let file = workspace::root().join(format!("crates/core/benches/streams/{}.txt", self.name()));
        let text = fs::read_to_string(file).doing("read a stream")?;
        // Gemini ends its lines as HTTP does.
        let text = if self == Self::Gemini { text.replace('\n', "\r\n") } else { text };
        let parts = text.split_once("=== token").and_then(|(opening, rest)| {
            let (token, end) = rest.trim_start().split_once("=== end")?;
            let (before, after) = token.split_once("TOKEN")?;
            Some([opening, before, after, end.trim_start()].map(str::to_owned))
        });
        match parts {
            Some([opening, before, after, end]) => Ok(Stream { opening, before, after, end }),
            None => failed(format!("the stream of {} has no token or no end", self.name())),
        }
    }
}

/// A stream in parts.
#[derive(Debug)]
pub struct Stream {
    /// Before the first token.
    pub opening: String,
    /// After the last one.
    pub end: String,
    before: String,
    after: String,
}

impl Stream {
    /// The frame of a token.
    pub fn token(&self, number: usize) -> String {
        format!("{} {}{}", self.before, mark(number), self.after)
    }
}

/// A token's text, which stands nowhere else in a stream but in wholes that repeat all of it.
pub fn mark(number: usize) -> String {
    format!("#{number};")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_has_its_parts_and_every_path_its_dialect() {
        for dialect in Dialect::ALL {
            let stream = dialect.stream().unwrap();
            assert!(stream.token(7).contains(" #7;"), "{dialect:?}");
            assert!(stream.end.contains(dialect.end()) && !stream.token(7).contains(dialect.end()));
            let path = format!("/8x1000/{}/{}", dialect.version(), dialect.path("m"));
            assert_eq!(Dialect::of(&path), Some(dialect));
        }
        assert_eq!(Dialect::of("/v1/embeddings"), None);
    }
}
