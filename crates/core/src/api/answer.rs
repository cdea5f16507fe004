//! `POST /v1/chat/completions`, and what every answering route reads from its headers.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::voice::Voice;
use crate::call::Shape;
use crate::config::Config;
use crate::config::features::Flags;
use crate::error::{Error, Kind};
use crate::host::Time;
use crate::modes::{Chat, Program, Thinking};
use crate::route::{self, Target, Wanted};
use crate::wire::json::Members;
use crate::wire::openai;
use crate::wire::prompt::Prompt;

/// The most messages of one request.
const MAX_MESSAGES: usize = 2_048;

/// An answer that a caller wants.
pub struct Asked {
    /// What is to be done.
    pub program: Program,
    /// Where it may be asked.
    pub targets: Vec<Target>,
    /// Whether the caller wants a stream.
    pub stream: bool,
    /// How the last ask travels.
    pub shape: Shape,
    /// How the answer is written.
    pub voice: Voice,
}

/// What the headers of an answering route say.
pub struct Options {
    /// `x-opencode-targets`.
    pub targets: Option<String>,
    /// `x-opencode-hedge-ms`, else the configuration's.
    pub hedge: Option<Duration>,
    /// How long the answer may be kept: the cache is on, and `cache-control` does not say `no-cache` or `no-store`.
    pub cache: Option<Duration>,
}

impl Options {
    /// Reads them.
    pub fn read(config: &Config, flags: &Flags, headers: &HeaderMap) -> Result<Self, Error> {
        let text = |name: &str| -> Result<Option<String>, Error> {
            let Some(value) = headers.get(name) else { return Ok(None) };
            let text =
                value.to_str().map_err(|_| Error::invalid(format!("{name} must be ASCII")).at(name))?;
            Ok(Some(text.to_owned()))
        };
        let hedge = match text("x-opencode-hedge-ms")? {
            None => config.hedge.after_ms,
            Some(value) => value.trim().parse().map_err(|_| {
                Error::invalid("x-opencode-hedge-ms must be a number of milliseconds; 0 is off")
                    .at("x-opencode-hedge-ms")
            })?,
        };
        let control = text(CACHE_CONTROL.as_str())?.unwrap_or_default().to_ascii_lowercase();
        Ok(Self {
            targets: text("x-opencode-targets")?,
            hedge: (hedge > 0).then(|| Duration::from_millis(hedge)),
            cache: flags.cache.filter(|_| !control.contains("no-cache") && !control.contains("no-store")),
        })
    }
}

/// JSON is the only media type that is taken; a missing one is taken for it.
pub fn check_json(headers: &HeaderMap) -> Result<(), Error> {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json") {
        return Ok(());
    }
    let detail = format!("send the body as `Content-Type: application/json`, not {kind:?}");
    Err(Error::new(Kind::UnsupportedMedia, detail).at("content-type"))
}

/// Reads a chat completion request. The body stays the caller's: what is not named here goes upstream untouched.
pub fn completions(
    config: &Config,
    options: &Options,
    flags: &Flags,
    body: &[u8],
    id: &str,
    now: Time,
) -> Result<Asked, Error> {
    let members = members(body)?;
    let model = model(&members)?;
    let stream = openai::wants_stream(&members)?;
    let usage = openai::wants_usage(&members);
    let (wanted, targets) = route::plan(config, Some(&model), options.targets.as_deref())?;
    match wanted {
        Wanted::Answer => {
            messages(&members)?;
            let shape = if stream { Shape::Stream } else { Shape::Whole };
            let program = Program::Chat(Chat::of(Prompt::OpenAi(members)));
            Ok(Asked { program, targets, stream, shape, voice: Voice::pass(usage) })
        }
        Wanted::Thinking => {
            let query = conversation(&messages(&members)?)?;
            let program = Program::Thinking(Thinking::new(&query, params(members)?, flags));
            let voice = Voice::openai(id, &model, now, usage);
            Ok(Asked { program, targets, stream, shape: Shape::Stream, voice })
        }
    }
}

/// Reads a request for embeddings, which goes to the one row that names the model.
pub fn embeddings(config: &Config, body: &[u8]) -> Result<Asked, Error> {
    let members = members(body)?;
    let model = model(&members)?;
    if members.get("input").is_none() {
        return Err(Error::invalid("`input` is missing: a string, or an array of strings").at("input"));
    }
    let targets = vec![route::embedder(config, &model)?];
    let program = Program::Chat(Chat::of(Prompt::Embeddings(members)));
    Ok(Asked { program, targets, stream: false, shape: Shape::Whole, voice: Voice::pass(false) })
}

fn members(body: &[u8]) -> Result<Members, Error> {
    Members::parse(body).map_err(|error| Error::invalid(format!("the body is not a JSON object: {error}")))
}

fn model(members: &Members) -> Result<String, Error> {
    let model = members
        .read::<String>("model")
        .map_err(|_| Error::invalid("`model` must be a string").at("model"))?;
    model.ok_or_else(|| Error::invalid("`model` is missing: provider/model, or `auto`").at("model"))
}

/// What a mode's asks are told of a caller's request: everything but what the mode decides itself.
fn params(mut members: Members) -> Result<Members, Error> {
    if members.read::<f64>("n").ok().flatten().is_some_and(|n| n > 1.0) {
        return Err(Error::invalid("a mode gives one answer: leave `n` out").at("n"));
    }
    for name in ["model", "messages", "stream", "stream_options", "n"] {
        members.unset(name);
    }
    Ok(members)
}

/// A message, with its content as it was written: only a mode of ours reads it.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

fn messages(members: &Members) -> Result<Vec<Message<'_>>, Error> {
    let at = |detail: &str| Error::invalid(detail).at("messages");
    let messages = members
        .read::<Vec<Message<'_>>>("messages")
        .map_err(|_| at("`messages` must be an array of objects with a `role`"))?
        .unwrap_or_default();
    if messages.is_empty() || messages.len() > MAX_MESSAGES {
        return Err(at(&format!("`messages` must hold 1 to {MAX_MESSAGES} messages")));
    }
    Ok(messages)
}

/// The thinking mode works on text: one question, or the conversation with its roles.
fn conversation(messages: &[Message<'_>]) -> Result<String, Error> {
    let mut texts = Vec::with_capacity(messages.len());
    for message in messages {
        texts.push((&*message.role, text(message.content)?));
    }
    if let [(_, only)] = texts.as_slice() {
        return Ok(only.clone());
    }
    Ok(texts.iter().map(|(role, text)| format!("{role}: {text}")).collect::<Vec<_>>().join("\n\n"))
}

fn text(content: Option<&RawValue>) -> Result<String, Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Content {
        Text(String),
        Parts(Vec<Part>),
    }
    #[derive(Deserialize)]
    struct Part {
        text: String,
    }
    let content = content.map(RawValue::get).unwrap_or_default();
    match serde_json::from_str(content).map_err(|_| no_text())? {
        Content::Text(text) => Ok(text),
        Content::Parts(parts) => Ok(parts.into_iter().map(|part| part.text).collect::<Vec<_>>().join("\n")),
    }
}

fn no_text() -> Error {
    Error::invalid("the thinking mode takes text only: send each message's `content` as a string")
        .at("messages")
}
