//! The dialects that the wall speaks, each as its provider writes it.

pub mod chat;
pub mod gemini;
pub mod messages;
pub mod odd;
pub mod responses;
pub mod rich;

use super::answer::Answer;
use super::asked::Asked;
use super::reason::Reason;
use crate::h1::Head;

/// What the wall's callers must send as their key.
pub const KEY: &str = crate::hosts::setup::WALL_KEY;

/// One provider's way of asking and answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Gemini `generateContent` and `streamGenerateContent`.
    Gemini,
}

/// One thing that is said in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// What comes before any content: a role chunk, `message_start`, `response.created`.
    Start,
    /// A sign of life without content: a comment, a ping, an empty chunk.
    Beat,
    /// A piece of reasoning.
    Thought(String),
    /// The seal on the reasoning.
    Seal,
    /// A piece of text.
    Token(String),
    /// The beginning of the answer's tool call of this number.
    Call(usize),
    /// A piece of that call's arguments.
    Arguments(usize, String),
    /// A frame that is not JSON.
    Malformed,
    /// The reason for the end, and the usage.
    Finish,
    /// What marks the end of the stream.
    Terminator,
    /// An error, inside the stream.
    Error(Reason),
    /// A prompt that was refused, where a stream says so.
    Blocked,
}

/// Writes one stream.
pub trait Voice: Send {
    /// The frames for one thing said; empty when the dialect has none.
    fn say(&mut self, say: &Say) -> String;
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    /// The dialect of a request's path.
    pub fn of(path: &str) -> Option<Self> {
        match path.split('?').next()? {
            "/v1/chat/completions" => Some(Self::Chat),
            "/v1/responses" => Some(Self::Responses),
            "/v1/messages" => Some(Self::Messages),
            path if gemini::place(path).is_some() => Some(Self::Gemini),
            _ => None,
        }
    }

    /// Reads a request.
    pub fn read(self, target: &str, body: &[u8]) -> Result<Asked, Reason> {
        match self {
            Self::Chat => chat::read(body),
            Self::Responses => responses::read(body),
            Self::Messages => messages::read(body),
            Self::Gemini => gemini::read(target, body),
        }
    }

    /// The header that the credential stands in, and what stands before it there.
    pub fn credential(self) -> (&'static str, &'static str) {
        match self {
            Self::Chat | Self::Responses => ("authorization", "Bearer "),
            Self::Messages => ("x-api-key", ""),
            Self::Gemini => ("x-goog-api-key", ""),
        }
    }

    /// Why the provider would not look at a request with this head.
    pub fn refuses(self, head: &Head) -> Option<Reason> {
        let (name, before) = self.credential();
        let secret = head.header(name).and_then(|value| value.strip_prefix(before));
        if secret != Some(KEY) {
            return Some(Reason::Credential);
        }
        let versioned = self != Self::Messages || head.header("anthropic-version").is_some();
        (!versioned).then(|| Reason::invalid("anthropic-version: header is required"))
    }

    /// The media type of a stream.
    pub fn media(self) -> &'static str {
        match self {
            Self::Chat | Self::Gemini => "text/event-stream",
            Self::Responses | Self::Messages => "text/event-stream; charset=utf-8",
        }
    }

    /// The body of a refusal.
    pub fn error(self, reason: &Reason) -> String {
        match self {
            Self::Chat => chat::error(reason),
            Self::Responses => responses::error(reason),
            Self::Messages => messages::error(reason),
            Self::Gemini => gemini::error(reason),
        }
    }

    /// The body of an answer that is not streamed.
    pub fn whole(self, asked: &Asked, answer: &Answer) -> String {
        match self {
            Self::Chat => chat::whole(asked, answer),
            Self::Responses => responses::whole(asked, answer),
            Self::Messages => messages::whole(asked, answer),
            Self::Gemini => gemini::whole(asked, answer),
        }
    }

    /// The body of an answer, with a good status, that says that it failed.
    pub fn failed(self, asked: &Asked, reason: &Reason) -> String {
        match self {
            Self::Responses => responses::failed(asked, reason),
            _ => self.error(reason),
        }
    }

    /// The body of an answer to a prompt that was blocked; `None` where that is a refusal.
    pub fn blocked(self, asked: &Asked) -> Option<String> {
        (self == Self::Gemini).then(|| gemini::blocked(asked).to_string())
    }

    /// Writes a stream with this answer.
    pub fn voice<'a>(self, asked: &'a Asked, answer: &'a Answer) -> Box<dyn Voice + 'a> {
        match self {
            Self::Chat => Box::new(chat::Voice { asked, answer }),
            Self::Responses => Box::new(responses::Voice::new(asked, answer)),
            Self::Messages => Box::new(messages::Voice::new(asked, answer)),
            Self::Gemini => Box::new(gemini::Voice::new(asked, answer)),
        }
    }

    /// A stream that is correct and unlike any other, and the same answer not streamed. Both say [`odd::ODD_TEXT`].
    pub fn odd(self) -> (&'static str, &'static str) {
        match self {
            Self::Chat => (odd::ODD, odd::ODD_WHOLE),
            Self::Responses => (odd::RESPONSES, odd::RESPONSES_WHOLE),
            Self::Messages => (odd::MESSAGES, odd::MESSAGES_WHOLE),
            Self::Gemini => (odd::GEMINI, odd::GEMINI_WHOLE),
        }
    }

    /// A stream with things that other dialects have no word for, and the same answer not streamed.
    pub fn rich(self) -> (&'static str, &'static str) {
        match self {
            Self::Chat => (rich::CHAT, rich::CHAT_WHOLE),
            Self::Responses => (rich::RESPONSES, rich::RESPONSES_WHOLE),
            Self::Messages => (rich::MESSAGES, rich::MESSAGES_WHOLE),
            Self::Gemini => (rich::GEMINI, rich::GEMINI_WHOLE),
        }
    }
}
