//! How an answer is written to its caller: what each thing that a run says becomes.

mod platform;
mod speaker;

use bytes::Bytes;
use serde_json::{Value, json};

pub use self::platform::Platform;
pub use self::speaker::Speaker;
use crate::call::Ended;
use crate::error::{Error, Kind};
use crate::run::{Began, Continued, Final, Rewritten};
use crate::wire::refusal::Class;
use crate::wire::{Dialect, Frame, sse};

/// One caller's way to be answered.
pub enum Voice {
    /// A provider's dialect: passed through where the one who answers speaks it too, else written anew.
    Speaker(Box<Speaker>),
    /// The platform's own events.
    Platform(Platform),
}

impl Voice {
    /// What stands before everything else.
    pub fn start(&self) -> Bytes {
        match self {
            Self::Platform(platform) => platform.start(),
            Self::Speaker(_) => Bytes::new(),
        }
    }

    /// A hidden step.
    pub fn progress(&self, step: &str, done: bool) -> Bytes {
        match self {
            Self::Platform(platform) => platform.progress(step, done),
            Self::Speaker(speaker) => speaker.progress(step, done),
        }
    }

    /// Something that the answer is made of. Dialects have no such thing: there it is a step like others.
    pub fn event(&self, name: &str, data: &Value) -> Bytes {
        match self {
            Self::Platform(_) => sse::named(name, data),
            Self::Speaker(speaker) => speaker.progress(name, false),
        }
    }

    /// The answer begins.
    pub fn began(&mut self, began: &Began) {
        match self {
            Self::Platform(platform) => platform.began(began),
            Self::Speaker(speaker) => speaker.began(began),
        }
    }

    /// Another goes on with the answer.
    pub fn continued(&mut self, continued: &Continued) -> Bytes {
        match self {
            Self::Platform(platform) => platform.continued(continued),
            Self::Speaker(speaker) => speaker.continued(continued),
        }
    }

    /// Lets nothing pass as it is, so that another can go on in the same words.
    pub fn rewrite(&mut self) {
        if let Self::Speaker(speaker) = self {
            speaker.rewrite();
        }
    }

    /// Frames of the answer.
    pub fn frames(&mut self, frames: &[Frame]) -> Bytes {
        match self {
            Self::Platform(platform) => platform.frames(frames),
            Self::Speaker(speaker) => speaker.frames(frames),
        }
    }

    /// The last bytes: the terminator of a genuine answer, or the error and nothing after it.
    pub fn tail(&mut self, last: &Final, trace: &str, time_ms: u64) -> Bytes {
        let error = failure(last);
        match self {
            _ if last.ended == Ended::Left => Bytes::new(),
            Self::Platform(platform) => platform.tail(last, error.as_ref(), time_ms),
            Self::Speaker(speaker) => match error {
                Some(error) => speaker.broken(&error, trace),
                None => speaker.tail(last.usage),
            },
        }
    }

    /// A complete answer that is not streamed; `passed` is the provider's own.
    pub fn whole(&self, last: &Final, passed: Bytes, events: Vec<Value>, time_ms: u64) -> Bytes {
        match self {
            Self::Platform(platform) => Bytes::from(platform.whole(last, events, time_ms).to_string()),
            Self::Speaker(speaker) => speaker.whole(&last.answer, last.usage, passed),
        }
    }

    /// The dialect that it writes; `None`: the platform's own events.
    pub fn dialect(&self) -> Option<Dialect> {
        match self {
            Self::Platform(_) => None,
            Self::Speaker(speaker) => Some(speaker.dialect()),
        }
    }

    /// Which answers it can write only as a whole: those that are not streamed, and those that are repeated at their end.
    pub fn rewritten(&self, stream: bool) -> Rewritten {
        match self {
            Self::Platform(_) => Rewritten::Always,
            Self::Speaker(speaker) if stream && speaker.dialect() != Dialect::Responses => Rewritten::Never,
            Self::Speaker(speaker) => speaker.rewritten(),
        }
    }

    /// Whether a provider's words in a dialect reach this caller as they are.
    pub fn passes(&self, dialect: Dialect) -> bool {
        matches!(self, Self::Speaker(speaker) if speaker.passes(dialect))
    }
}

/// What a caller is told of a continuation.
fn note(continued: &Continued) -> Value {
    let Continued { target, broken, error, usage, estimated } = continued;
    json!({
        "target": target,
        "after": {
            "target": broken,
            "error": error.detail,
            "input_tokens": usage.input,
            "output_tokens": usage.output,
            "estimated": estimated,
        },
    })
}

/// What went wrong, if the answer failed.
pub fn failure(last: &Final) -> Option<Error> {
    match &last.ended {
        Ended::Complete | Ended::Left => None,
        Ended::Failed(error) => Some(error.clone()),
        Ended::Refused { dialect, status, body } => Some(refused(*dialect, *status, body)),
    }
}

/// A provider's refusal in our words and its own.
pub fn refused(dialect: Dialect, status: u16, body: &[u8]) -> Error {
    let refusal = dialect.refusal(status, body);
    let kind = match refusal.class {
        Class::Context => Kind::Context,
        Class::Filtered => Kind::Filtered,
        _ => Kind::Invalid,
    };
    let detail = match refusal.message {
        Some(message) => format!("the provider refused the request: {message}"),
        None => format!("the provider refused the request with status {status}"),
    };
    Error { param: refusal.param, ..Error::new(kind, detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_refusal_means_survives_the_change_of_dialect() {
        let code = |dialect, body: &str| refused(dialect, 400, body.as_bytes()).code();
        let long = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 tokens > 1 maximum"}}"#;
        assert_eq!(code(Dialect::Anthropic, long), "context_length_exceeded");
        let filtered = r#"{"error":{"code":"invalid_prompt","message":"flagged"}}"#;
        assert_eq!(code(Dialect::Responses, filtered), "content_filter");
        assert_eq!(code(Dialect::OpenAi, r#"{"error":{"message":"no"}}"#), "invalid_request");
    }
}
