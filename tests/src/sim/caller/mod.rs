//! Those who ask: how each dialect's callers write a request and hear the answer.

mod anthropic;
mod gemini;
mod openai;
mod platform;
mod responses;

use serde_json::Value;

use crate::sse::Event;

/// The dialects that callers speak here. A further one is a row.
pub const DIALECTS: [Dialect; 5] = [openai::ROW, responses::ROW, anthropic::ROW, gemini::ROW, platform::ROW];

/// How callers of a dialect ask and hear.
pub struct Dialect {
    /// The name; where a provider's dialect has the same one, its frames pass byte for byte.
    pub name: &'static str,
    /// Where it is asked.
    pub path: fn(ask: &Ask) -> String,
    /// What is asked.
    pub body: fn(ask: &Ask) -> Value,
    /// The terminator of a complete stream, as the platform writes it.
    pub terminator: &'static [u8],
    /// What a streamed answer says.
    pub hear: fn(body: &[u8]) -> Heard,
    /// What an answer that is not streamed says.
    pub hear_whole: fn(body: &[u8]) -> Heard,
}

/// What a caller wants and how it behaves.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its tenant's place.
    pub tenant: usize,
    /// Whether its key is one that opens anything.
    pub known: bool,
    /// Its dialect's place in [`DIALECTS`].
    pub dialect: usize,
    /// What is asked: the same number is the same question.
    pub question: u64,
    /// Whether it wants a stream.
    pub stream: bool,
    /// Whether it wants to be told the tokens.
    pub usage: bool,
    /// The most output tokens, if it says so.
    pub max_tokens: Option<u64>,
    /// `model`.
    pub model: String,
    /// `x-opencode-targets`.
    pub targets: Option<String>,
    /// `x-opencode-hedge-ms`.
    pub hedge: Option<u64>,
    /// Whether it wants no answer from the cache.
    pub fresh: bool,
    /// Milliseconds after the scene's start.
    pub start: u64,
    /// Milliseconds after its start when it leaves.
    pub leaves: Option<u64>,
    /// Milliseconds after its start when its owner dies.
    pub dies: Option<u64>,
    /// Milliseconds that it takes over each thing that it is sent.
    pub pause: u64,
    /// Whether its stream can be taken up again: then it runs on when its caller leaves.
    pub resumable: bool,
    /// Milliseconds after its start when a second reader takes the stream up.
    pub follows: Option<u64>,
    /// Whether another provider may go on with its stream.
    pub continues: bool,
}

/// What an answer said to its caller.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The text, put together.
    pub text: String,
    /// How many finish reasons there were.
    pub finishes: u32,
    /// Whether it was told that the answer is complete.
    pub complete: bool,
    /// Whether it was told that the answer failed.
    pub failed: bool,
    /// Input and output tokens, if it was told.
    pub usage: Option<(u64, u64)>,
    /// What is wrong with how it was said, whatever was said.
    pub wrong: Vec<String>,
}

impl Heard {
    fn wrong(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    /// Something is said: nothing may be, after a failure or the end.
    fn goes_on(&mut self, what: &str) {
        if self.failed {
            self.wrong(format!("after the error comes {what:?}"));
        }
        if self.complete {
            self.wrong(format!("after the end comes {what:?}"));
        }
    }
}

/// The type of an event whose name says it as well.
fn named(event: &Event, data: &Value, heard: &mut Heard) -> String {
    let kind = data["type"].as_str().unwrap_or_default();
    if event.name != kind {
        heard.wrong(format!("the event {:?} is of type {kind:?}", event.name));
    }
    kind.to_owned()
}

/// What a body is that is no event stream: an answer, which `says` reads, or an error.
fn whole(body: &[u8], says: fn(&Value, &mut Heard)) -> Heard {
    let mut heard = Heard::default();
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    heard.failed = answer.get("error").is_some_and(Value::is_object);
    if !heard.failed {
        says(&answer, &mut heard);
        heard.complete = heard.finishes == 1;
    }
    if !heard.failed && !heard.complete {
        heard.wrong(format!("neither an answer nor an error: {}", String::from_utf8_lossy(body)));
    }
    heard
}

/// The frames of a stream, without comments; what is not UTF-8 or stands after the last empty line is wrong.
fn events(body: &[u8], heard: &mut Heard) -> Vec<Event> {
    let Ok(text) = std::str::from_utf8(body) else {
        heard.wrong("it is not UTF-8");
        return Vec::new();
    };
    let text = text.replace("\r\n", "\n");
    if !text.is_empty() && !text.ends_with("\n\n") {
        heard.wrong("its last frame is torn");
    }
    text.split("\n\n").filter_map(crate::sse::parse).collect()
}
