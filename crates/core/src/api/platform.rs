//! The platform's own chat and task requests.

use serde::Deserialize;
use serde_json::Value;

use super::answer::{Asked, Fitting, Options, fitting};
use super::extras::Extras;
use super::voice::{Platform, Voice};
use crate::call::Shape;
use crate::config::Config;
use crate::config::features::Flags;
use crate::error::{Error, Kind};
use crate::modes::{Chat, Coding, Next, Op, Program, Thinking};
use crate::route;
use crate::wire::conversation::Format;
use crate::wire::json::{self, Members};
use crate::wire::prompt::DEFAULT_TEMPERATURE;

/// The longest query, in characters.
const MAX_QUERY: usize = 50_000;
/// The most output tokens that may be asked for.
const MAX_TOKENS: u64 = 128_000;

/// The body of `/api/v1/chat`, `/api/v1/chat/stream` and `/api/v1/tasks`.
#[derive(Debug)]
pub struct Request {
    /// 1 to 50,000 characters.
    pub query: String,
    /// A mode's name, or `auto`.
    pub mode: String,
    /// What the model is told beside the query: `temperature` (0 to 2; 0.7 if left out), `max_tokens` (1 to 128,000;
    /// 4,000 if left out) and any of [`PASSED`], as they were written.
    pub params: Members,
    /// Whether `/api/v1/chat` streams as `/api/v1/chat/stream` does.
    pub stream: bool,
    /// `provider/model`, or one of the platform's own; all targets in order if left out.
    pub model: Option<String>,
    /// What it says of the platform's own offers.
    pub extras: Extras,
}

/// The modes of the contract, with those that are not built yet.
pub const MODES: [(&str, bool); 8] = [
    ("auto", true),
    ("chat", true),
    ("thinking", true),
    ("knowledge", false),
    ("search", false),
    ("code", true),
    ("research", false),
    ("deep_research", false),
];

/// OpenAI's parameters that reach the model beside `temperature` and `max_tokens`.
pub const PASSED: [&str; 11] = [
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "response_format",
    "reasoning_effort",
    "verbosity",
    "service_tier",
    "user",
];

/// What only `/v1/chat/completions` can answer: said rather than left out in silence.
const ELSEWHERE: [&str; 4] = ["tools", "tool_choice", "n", "messages"];

/// Reads and checks a request. Members that are not named here (such as `metadata`) are allowed.
pub fn read(bytes: &[u8]) -> Result<Request, Error> {
    let body = object(bytes)?;
    let query: String = member(&body, "query", "a string")?.unwrap_or_default();
    let length = query.chars().count();
    if query.trim().is_empty() || length > MAX_QUERY {
        return Err(bad("query", &format!("must hold 1 to {MAX_QUERY} characters, not {length}")));
    }
    let temperature = member(&body, "temperature", "a number")?.unwrap_or(DEFAULT_TEMPERATURE);
    if !(0.0..=2.0).contains(&temperature) {
        return Err(bad("temperature", "must lie between 0 and 2"));
    }
    let max_tokens = member(&body, "max_tokens", "a whole number")?.unwrap_or(4_000);
    if !(1..=MAX_TOKENS).contains(&max_tokens) {
        return Err(bad("max_tokens", &format!("must lie between 1 and {MAX_TOKENS}")));
    }
    let mode: String = member(&body, "mode", "a string")?.unwrap_or_else(|| "auto".to_owned());
    match MODES.iter().find(|(name, _)| *name == mode) {
        None => {
            let names: Vec<&str> = MODES.iter().map(|(name, _)| *name).collect();
            return Err(bad("mode", &format!("must be one of {names:?}")));
        }
        Some((_, false)) => return Err(planned_mode(&mode).at("mode")),
        Some((_, true)) => {}
    }
    if let Some(name) = ELSEWHERE.iter().find(|name| body.get(**name).is_some()) {
        return Err(bad(name, "is taken by POST /v1/chat/completions, not here"));
    }
    let stream = member(&body, "stream", "true or false")?.unwrap_or(false);
    let model = member(&body, "model", "a string")?;
    let mut members = Members::parse(bytes).unwrap_or_default();
    let extras = Extras::take(&mut members)?;
    let mut params = members.only(&PASSED);
    params.set("max_tokens", &max_tokens);
    params.set("temperature", &temperature);
    Ok(Request { query, mode, params, stream, model, extras })
}

/// A mode that is in the contract, but not built yet.
pub fn planned_mode(mode: &str) -> Error {
    let detail = format!("the mode {mode:?} is planned and not built yet; use `chat`, `thinking` or `code`");
    Error::new(Kind::Planned, detail)
}

impl Request {
    /// The mode's program. `auto` is `chat` until requests are routed by their complexity.
    pub fn program(&self, flags: &Flags) -> Program {
        let params = self.params.clone();
        match self.mode.as_str() {
            "code" => Program::Code(Coding::new(&self.query, params, flags)),
            "thinking" => Program::Thinking(Thinking::new(&self.query, params, flags)),
            _ => Program::Chat(Chat::ask(&self.query, params)),
        }
    }

    /// What is to be answered.
    pub fn asked(
        &self,
        config: &Config,
        options: &Options,
        flags: &Flags,
        stream: bool,
        trace: &str,
    ) -> Result<Asked, Error> {
        let (_, targets) = route::plan(config, &options.wish(self.model.as_deref()))?;
        let program = self.program(flags);
        let stream = stream || self.stream;
        // An answer of one ask that nobody reads as it comes is asked for whole: until it is there, others may be asked.
        let single = matches!(program, Program::Chat(_));
        let shape = if single && !stream { Shape::Whole } else { Shape::Stream };
        let Fitting { targets, passed } = match program.next() {
            Next::All(ops) => match ops.first() {
                Some(Op::Ask { prompt, .. }) => fitting(targets, prompt, shape)?,
                Some(Op::Execute { .. }) | None => Fitting { targets, passed: Vec::new() },
            },
            Next::Done | Next::Failed(_) => Fitting { targets, passed: Vec::new() },
        };
        let voice = Voice::Platform(Platform::new(trace, program.mode()));
        Ok(Asked {
            program,
            targets,
            passed,
            stream,
            shape,
            voice,
            notice: None,
            format: Format::Text,
            extras: self.extras,
        })
    }
}

/// A body that is a JSON object, within the bounds of [`json`].
pub(super) fn object(body: &[u8]) -> Result<Value, Error> {
    if let Some(why) = json::excess(body) {
        return Err(Error::invalid(format!("the body is too large to be read: {why}")));
    }
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Error::invalid(format!("the body is not JSON: {error}")))?;
    if body.is_object() { Ok(body) } else { Err(Error::invalid("the body must be a JSON object")) }
}

/// A member of the body; `None` where it is missing or null.
pub(super) fn member<'a, T: Deserialize<'a>>(
    body: &'a Value,
    name: &str,
    kind: &str,
) -> Result<Option<T>, Error> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::deserialize(value).map(Some).map_err(|_| bad(name, &format!("must be {kind}"))),
    }
}

/// A member that breaks its bound.
pub(super) fn bad(name: &str, must: &str) -> Error {
    Error::new(Kind::Unprocessable, format!("`{name}` {must}")).at(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked_and_named() {
        let check =
            |body: &str| read(body.as_bytes()).map(|_| ()).map_err(|error| (error.status(), error.param));
        let at = |status, name: &str| Err((status, Some(name.to_owned())));
        assert!(check(r#"{"query":"hi","metadata":{"a":1}}"#).is_ok());
        assert_eq!(check(r#"{"query":"hi","tools":[]}"#), at(422, "tools"));
        assert_eq!(check(r#"{"query":"hi","mode":"research"}"#), at(501, "mode"));
        assert_eq!(check("[]"), Err((400, None)));
        assert_eq!(check("{"), Err((400, None)));
        assert_eq!(check(r#"{"query":" "}"#), at(422, "query"));
        assert_eq!(check(r#"{"query":7}"#), at(422, "query"));
        assert_eq!(check(&format!(r#"{{"query":"{}"}}"#, "é".repeat(50_001))), at(422, "query"));
        assert_eq!(check(r#"{"query":"hi","temperature":2.1}"#), at(422, "temperature"));
        assert_eq!(check(r#"{"query":"hi","max_tokens":0}"#), at(422, "max_tokens"));
        assert_eq!(check(r#"{"query":"hi","max_tokens":1.5}"#), at(422, "max_tokens"));
        assert_eq!(check(r#"{"query":"hi","mode":"dream"}"#), at(422, "mode"));
        assert_eq!(check(r#"{"query":"hi","mode":"deep_research"}"#), at(501, "mode"));
    }

    #[test]
    fn parameters_reach_the_model_as_they_were_written() {
        let request = read(br#"{"query":"hi","seed":7,"metadata":{},"top_p":0.50,"max_tokens":9}"#).unwrap();
        assert_eq!(request.params.text(), r#"{"seed":7,"top_p":0.50,"max_tokens":9,"temperature":0.7}"#);
    }
}
