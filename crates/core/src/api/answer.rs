//! Requests in the providers' dialects, and what every answering route reads from its headers.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::builtin;
use super::extras::Extras;
use super::voice::{Speaker, Voice};
use crate::call::Shape;
use crate::config::Config;
use crate::config::features::Flags;
use crate::error::{Error, Kind};
use crate::host::Time;
use crate::identity::Tenant;
use crate::modes::{Chat, Coding, Program, Thinking};
use crate::route::{self, Target, Wanted, Wish};
use crate::sandbox::Limits;
use crate::wire::answer::Head;
use crate::wire::conversation::Format;
use crate::wire::json::{Members, parse};
use crate::wire::prompt::Prompt;
use crate::wire::{Dialect, openai, request, responses};

/// The most messages of one request.
const MAX_MESSAGES: usize = 2_048;

/// An answer that a caller wants.
pub struct Asked {
    /// What is to be done.
    pub program: Program,
    /// Where it may be asked.
    pub targets: Vec<Target>,
    /// `target=unfit:member` of those that cannot be told all of it.
    pub passed: Vec<String>,
    /// Whether the caller wants a stream.
    pub stream: bool,
    /// How the last ask travels.
    pub shape: Shape,
    /// How the answer is written.
    pub voice: Voice,
    /// What the caller asked for and gets otherwise.
    pub notice: Option<&'static str>,
    /// What the answer's text must be.
    pub format: Format,
    /// What the body says of the platform's own offers.
    pub extras: Extras,
}

/// What the headers of an answering route say.
pub struct Options {
    /// `x-opencode-targets`.
    pub targets: Option<String>,
    /// The tenant's own order, where it has one.
    pub tenant: Vec<String>,
    /// `x-opencode-hedge-ms`, else the configuration's.
    pub hedge: Option<Duration>,
    /// How long the answer may be kept: the cache is on, and `cache-control` does not say `no-cache` or `no-store`.
    pub cache: Option<Duration>,
    /// What the headers say of the platform's own offers.
    pub extras: Extras,
    /// The most that a run of the tenant's code may use; `None` where it may not run any.
    pub code: Option<Limits>,
}

impl Options {
    /// Reads them.
    pub fn read(config: &Config, tenant: &Tenant, flags: &Flags, headers: &HeaderMap) -> Result<Self, Error> {
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
            tenant: config.tenant(tenant).map(|row| row.targets.clone()).unwrap_or_default(),
            hedge: (hedge > 0).then(|| Duration::from_millis(hedge)),
            cache: flags.cache.filter(|_| !control.contains("no-cache") && !control.contains("no-store")),
            extras: Extras::read(headers)?,
            code: config.code(tenant).ok(),
        })
    }
}

impl Options {
    /// What is wished of the targets.
    pub fn wish<'a>(&'a self, model: Option<&'a str>) -> Wish<'a> {
        Wish { model, header: self.targets.as_deref(), tenant: &self.tenant }
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

/// A request in a provider's dialect.
pub struct Request<'a> {
    /// Whose.
    pub dialect: Dialect,
    /// As it came.
    pub body: &'a [u8],
    /// The model, where the path names it.
    pub model: Option<&'a str>,
    /// Whether a stream is wanted, where the path says so.
    pub stream: Option<bool>,
}

/// Reads a request in a provider's dialect. The body stays the caller's: what is not named here goes upstream untouched
/// where the target speaks the same dialect. Targets that cannot be told all of it are passed over.
pub fn asked(
    config: &Config,
    options: &Options,
    flags: &Flags,
    request: &Request<'_>,
    id: &str,
    now: Time,
) -> Result<Asked, Error> {
    let dialect = request.dialect;
    let mut members = members(request.body)?;
    let extras = Extras::take(&mut members)?;
    let model = match request.model {
        Some(model) => model.to_owned(),
        None => model(&members)?,
    };
    let stream = match request.stream {
        Some(stream) => stream,
        None => openai::wants_stream(&members)?,
    };
    let mut notice = None;
    if dialect == Dialect::Responses {
        responses::check(&members)?;
        notice = responses::wants_store(&members).then_some("store: false");
    }
    let (wanted, targets) = route::plan(config, &options.wish(Some(&model)))?;
    let mut head = Head {
        id: id.to_owned(),
        model,
        created: now.0.checked_div(1000).unwrap_or(0),
        include_usage: openai::wants_usage(&members),
        ..Head::default()
    };
    if dialect == Dialect::Responses {
        head.echo = members.only(responses::ECHOED);
    }
    match wanted {
        Wanted::Answer => {
            present(dialect, &members)?;
            let shape = if stream { Shape::Stream } else { Shape::Whole };
            let format = format(dialect, &members);
            let (program, prompt, refused) =
                builtin::program(config, options, flags, dialect, members, id, now);
            let fit = fitting(targets, &prompt, shape);
            let Fitting { targets, passed } = fit.map_err(|error| refused.unwrap_or(error))?;
            head.input_estimate = prompt.estimated_input();
            let mut voice = Voice::Speaker(Box::new(Speaker::new(dialect, true, head)));
            if matches!((&program, &prompt), (Program::Interpreter(_), Prompt::Own(..))) {
                voice.rewrite();
            }
            Ok(Asked { program, targets, passed, stream, shape, voice, notice, format, extras })
        }
        Wanted::Thinking | Wanted::Code => {
            let members = match dialect {
                Dialect::OpenAi => members,
                other => openai::write(&other.read(&members)?, "", Shape::Stream)
                    .map_err(|cannot| cannot.error(other, "the platform's modes"))?,
            };
            let query = conversation(&messages(&members)?)?;
            let params = params(members)?;
            let program = match wanted {
                Wanted::Code => Program::Code(Coding::new(&query, params, flags)),
                _ => Program::Thinking(Thinking::new(&query, params, flags)),
            };
            head.input_estimate = program.input_bound();
            let voice = Voice::Speaker(Box::new(Speaker::new(dialect, false, head)));
            Ok(Asked {
                program,
                targets,
                passed: Vec::new(),
                stream,
                shape: Shape::Stream,
                voice,
                notice,
                format: Format::Text,
                extras,
            })
        }
    }
}

/// What the answer's text must be. Only requests that ask for something are read for it.
fn format(dialect: Dialect, members: &Members) -> Format {
    let asks = match dialect {
        Dialect::OpenAi => members.get("response_format").is_some(),
        Dialect::Responses => members.get("text").is_some(),
        Dialect::Anthropic => {
            ["output_config", "output_format"].iter().any(|name| members.get(name).is_some())
        }
        Dialect::Gemini => {
            let generation = members.get("generationConfig").or_else(|| members.get("generation_config"));
            generation.is_some_and(|it| it.get().contains("chema") || it.get().contains("esponse"))
        }
    };
    let several = members.read::<f64>("n").ok().flatten().is_some_and(|choices| choices > 1.0);
    if !asks || several {
        return Format::Text;
    }
    // What cannot be read here is the provider's to judge.
    dialect.read(members).map(|conversation| conversation.settings.format).unwrap_or_default()
}

/// Targets that can be told all of a request, and those that cannot, as the caller is told of them.
pub(super) struct Fitting {
    pub(super) targets: Vec<Target>,
    /// `target=unfit:member`.
    pub(super) passed: Vec<String>,
}

/// Parts the targets; where none fits, the error is why the first does not.
pub(super) fn fitting(targets: Vec<Target>, prompt: &Prompt, shape: Shape) -> Result<Fitting, Error> {
    let mut first = None;
    let mut fit = Fitting { targets: Vec::new(), passed: Vec::new() };
    for target in targets {
        match request::fits(&target, prompt, shape) {
            Ok(()) => fit.targets.push(target),
            Err(error) => {
                fit.passed.push(unfit(&target.name, error.param.as_deref().unwrap_or_default()));
                first.get_or_insert(error);
            }
        }
    }
    match first {
        Some(error) if fit.targets.is_empty() => Err(error),
        _ => Ok(fit),
    }
}

/// A member's name may be the caller's own and stands in a header: only as much of it as cannot harm there.
fn unfit(target: &str, member: &str) -> String {
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || "_.[]-".contains(*letter);
    let member: String = member.chars().filter(plain).take(64).collect();
    format!("{target}=unfit:{member}")
}

/// An estimate of a request's input tokens, for `POST /v1/messages/count_tokens`.
pub fn count(body: &[u8]) -> Result<u64, Error> {
    let members = members(body)?;
    model(&members)?;
    present(Dialect::Anthropic, &members)?;
    Ok(Prompt::Own(Dialect::Anthropic, members).estimated_input())
}

/// What is asked must be there; the rest of it is the provider's to judge.
fn present(dialect: Dialect, members: &Members) -> Result<(), Error> {
    let (name, what) = match dialect {
        Dialect::OpenAi => return messages(members).map(drop),
        Dialect::Responses => ("input", "a text, or an array of items"),
        Dialect::Anthropic => ("messages", "an array of messages"),
        Dialect::Gemini => ("contents", "an array of contents"),
    };
    let value = members.get(name).map(RawValue::get).unwrap_or_default();
    let listed = value.starts_with('[') && parse::<Vec<&RawValue>>(value).is_ok_and(|it| !it.is_empty());
    let text = dialect == Dialect::Responses && value.starts_with('"') && value.len() > 2;
    if listed || text {
        return Ok(());
    }
    Err(Error::invalid(format!("`{name}` must be {what}, and not empty")).at(name))
}

/// Reads a request for embeddings, which goes to the one row that names the model.
pub fn embeddings(config: &Config, body: &[u8]) -> Result<Asked, Error> {
    let members = members(body)?;
    let model = model(&members)?;
    if members.get("input").is_none() {
        return Err(Error::invalid("`input` is missing: a string, or an array of strings").at("input"));
    }
    let prompt = Prompt::Embeddings(members);
    let Fitting { targets, passed } = fitting(vec![route::embedder(config, &model)?], &prompt, Shape::Whole)?;
    let program = Program::Chat(Chat::of(prompt));
    let voice = Voice::Speaker(Box::new(Speaker::new(Dialect::OpenAi, true, Head::default())));
    Ok(Asked {
        program,
        targets,
        passed,
        stream: false,
        shape: Shape::Whole,
        voice,
        notice: None,
        format: Format::Text,
        extras: Extras::default(),
    })
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
    let content = content.map(RawValue::get).unwrap_or_default();
    match parse(content).map_err(|_| no_text())? {
        Value::String(text) => Ok(text),
        Value::Array(parts) => {
            let texts: Option<Vec<&str>> = parts.iter().map(|part| part.get("text")?.as_str()).collect();
            Ok(texts.ok_or_else(no_text)?.join("\n"))
        }
        _ => Err(no_text()),
    }
}

fn no_text() -> Error {
    Error::invalid("the thinking mode takes text only: send each message's `content` as a string")
        .at("messages")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
        [[targets]]
        name = "blind"
        base_url = "https://api.deepseek.com/v1"
        model = "deepseek-v4-pro"
        [[targets]]
        name = "lone"
        base_url = "https://api.x.ai/v1"
        model = "grok-4.20-multi-agent"
        [[targets]]
        name = "free"
        base_url = "https://api.openai.com/v1"
        model = "gpt-5.5-pro"
        [[targets]]
        name = "unknown"
        base_url = "https://other.example/v1"
        model = "m"
    "#;

    #[test]
    fn models_that_cannot_by_the_catalogue_are_passed_over() {
        let config = Config::parse(CONFIG).unwrap();
        let parted = |model: &str, more: &str, content: &str| {
            let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":{content}}}]{more}}}"#);
            let prompt = Prompt::Own(Dialect::OpenAi, Members::parse(body.as_bytes()).unwrap());
            let wish = Wish { model: Some(model), header: None, tenant: &[] };
            let (_, targets) = route::plan(&config, &wish).unwrap();
            match fitting(targets, &prompt, Shape::Stream) {
                Ok(Fitting { targets, passed }) => {
                    let names: Vec<&str> = targets.iter().map(|it| it.provider.as_str()).collect();
                    format!("{} {}", names.join(" "), passed.join(" ")).trim_end().to_owned()
                }
                Err(error) => format!("{} at {}", error.status(), error.param.unwrap_or_default()),
            }
        };
        let tools = r#","tools":[{"type":"function","function":{"name":"f"}}]"#;
        let schema = r#","response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}}"#;
        let picture = r#"[{"type":"image_url","image_url":{"url":"https://x.example/y.png"}}]"#;
        let cases = [
            ("auto", "", "\"hi\"", "blind lone free unknown"),
            ("auto", tools, "\"hi\"", "blind free unknown lone/grok-4.20-multi-agent=unfit:tools"),
            ("auto", "", picture, "lone free unknown blind/deepseek-v4-pro=unfit:messages"),
            ("auto", schema, "\"hi\"", "blind lone unknown free/gpt-5.5-pro=unfit:response_format"),
            ("lone/grok-4.20-multi-agent", tools, "\"hi\"", "400 at tools"),
            ("blind/deepseek-v4-pro", "", picture, "400 at messages"),
            ("blind/deepseek-v4-pro", tools, "\"hi\"", "blind"),
            ("free/gpt-5.5-pro", schema, "\"hi\"", "400 at response_format"),
            ("unknown/m", tools, picture, "unknown"),
        ];
        for (model, more, content, expected) in cases {
            assert_eq!(parted(model, more, content), expected, "{model}{more} {content}");
        }
    }

    #[test]
    fn a_members_name_does_no_harm_in_a_header() {
        assert_eq!(unfit("a/m", "tools[0].x"), "a/m=unfit:tools[0].x");
        assert_eq!(unfit("a/m", "x,\r\ny: é"), "a/m=unfit:xy");
        assert_eq!(unfit("a/m", &"x".repeat(99)).len(), "a/m=unfit:".len() + 64);
    }
}
