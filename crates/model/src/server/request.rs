//! A chat completion's body: what is asked, or which member is wrong.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::sampling;
use crate::generate::Ask;
use crate::text::Message;

/// OpenAI's bound on the number of stop sequences.
const MAX_STOPS: usize = 4;
/// Bytes of one stop sequence: text that might begin one is held back.
const MAX_STOP: usize = 1_024;

/// What is taken where a request does not say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) temperature: f32,
    pub(crate) top_p: f32,
}

/// A request that can be computed.
#[derive(Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) ask: Ask,
    /// Whether to stream, and then whether the usage is wanted.
    pub(super) stream: Option<bool>,
}

/// Members that change nothing about the words of an answer here, so that they may say anything.
const IGNORED: [&str; 10] = [
    "metadata",
    "moderation",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
];

impl Asked {
    pub(super) fn read(body: &[u8], defaults: &Defaults) -> Result<Self, Refusal> {
        let body = serde_json::from_slice(body)
            .map_err(|error| Refusal::invalid(None, format!("the body is not valid JSON: {error}")))?;
        let Value::Object(members) = body else {
            return Err(Refusal::invalid(None, "the body must be a JSON object"));
        };
        let members = Members(members);
        members.refuse_unsupported()?;
        let model = members.text("model")?.ok_or_else(|| missing("model"))?.to_owned();
        let messages = messages(members.get("messages").ok_or_else(|| missing("messages"))?)?;
        let most = members.count("max_tokens")?;
        let ask = Ask {
            messages,
            most: members.count("max_completion_tokens")?.or(most),
            stop: stops(members.get("stop"))?,
            sampling: sampling::read(&members, defaults)?,
        };
        Ok(Self { model, ask, stream: stream(&members)? })
    }
}

/// The body's members. One that is null counts as left out.
pub(super) struct Members(Map<String, Value>);

impl Members {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn number(&self, name: &str, least: f64, most: f64) -> Result<Option<f32>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_f64().filter(|number| (least..=most).contains(number));
        let wrong =
            || Refusal::invalid(Some(name), format!("{name} must be a number from {least} to {most}"));
        number.map(|number| Some(number as f32)).ok_or_else(wrong)
    }

    fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let wrong = || Refusal::invalid(Some(name), format!("{name} must be a string"));
        self.get(name).map(|value| value.as_str().ok_or_else(wrong)).transpose()
    }

    fn bool(&self, name: &str) -> Result<bool, Refusal> {
        let wrong = || Refusal::invalid(Some(name), format!("{name} must be true or false"));
        self.get(name).map_or(Ok(false), |value| value.as_bool().ok_or_else(wrong))
    }

    fn count(&self, name: &str) -> Result<Option<usize>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let count = value.as_u64().filter(|count| *count > 0).and_then(|count| usize::try_from(count).ok());
        let wrong = || Refusal::invalid(Some(name), format!("{name} must be a whole number above 0"));
        count.map(Some).ok_or_else(wrong)
    }

    /// Refuses members that would change the answer if they were obeyed, unless they say what is done anyway.
    fn refuse_unsupported(&self) -> Result<(), Refusal> {
        for (name, value) in self.0.iter().filter(|(_, value)| !value.is_null()) {
            let fine = match name.as_str() {
                "model"
                | "messages"
                | "stream"
                | "stream_options"
                | "max_tokens"
                | "max_completion_tokens"
                | "stop" => true,
                name if sampling::MEMBERS.contains(&name) || IGNORED.contains(&name) => true,
                "n" => value == 1,
                "logprobs" => value == false,
                "top_logprobs" => value == 0,
                "tools" | "functions" => self.no_tools() || value.as_array().is_some_and(Vec::is_empty),
                "tool_choice" | "function_call" => value == "none" || value == "auto",
                "response_format" => value["type"] == "text",
                "modalities" => value.as_array().is_some_and(|all| all.iter().all(|one| one == "text")),
                "reasoning_effort" => value == "none",
                "audio" | "prediction" | "verbosity" | "web_search_options" => false,
                _ => return Err(Refusal::unknown(name)),
            };
            if !fine {
                return Err(Refusal::unsupported(
                    name,
                    format!("this model does not support {name} {}", limit(name)),
                ));
            }
        }
        Ok(())
    }

    fn no_tools(&self) -> bool {
        ["tool_choice", "function_call"]
            .iter()
            .any(|name| self.get(name).is_some_and(|choice| choice == "none"))
    }
}

/// What a caller may do instead.
fn limit(name: &str) -> &'static str {
    match name {
        "n" => "other than 1",
        "tools" | "functions" => "(unless tool_choice is \"none\")",
        "tool_choice" | "function_call" => "other than \"none\"",
        "response_format" => "other than {\"type\": \"text\"}",
        "modalities" => "other than [\"text\"]",
        _ => ": leave it out",
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::invalid(Some(name), format!("{name} is missing"))
}

fn stream(members: &Members) -> Result<Option<bool>, Refusal> {
    let stream = members.bool("stream")?;
    let Some(options) = members.get("stream_options") else { return Ok(stream.then_some(false)) };
    let wrong = |why: &str| Refusal::invalid(Some("stream_options"), format!("stream_options {why}"));
    if !stream {
        return Err(wrong("needs stream to be true"));
    }
    let options = options.as_object().ok_or_else(|| wrong("must be an object"))?;
    let include = options.get("include_usage").filter(|value| !value.is_null());
    let include = include.map_or(Some(false), Value::as_bool);
    include.map(Some).ok_or_else(|| {
        let param = "stream_options.include_usage";
        Refusal::invalid(Some(param), format!("{param} must be true or false"))
    })
}

fn stops(value: Option<&Value>) -> Result<Vec<String>, Refusal> {
    let wrong = || {
        let message = format!(
            "stop must be a string or up to {MAX_STOPS} strings, none empty or of more than {MAX_STOP} bytes"
        );
        Refusal::invalid(Some("stop"), message)
    };
    let one = |value: &Value| {
        let text = value.as_str().filter(|text| !text.is_empty() && text.len() <= MAX_STOP);
        text.map(str::to_owned).ok_or_else(wrong)
    };
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(all)) if all.len() <= MAX_STOPS => all.iter().map(one).collect(),
        Some(value) => one(value).map(|one| vec![one]),
    }
}

fn messages(value: &Value) -> Result<Vec<Message>, Refusal> {
    let all = value.as_array().filter(|all| !all.is_empty());
    let all = all.ok_or_else(|| {
        Refusal::invalid(Some("messages"), "messages must be a list of at least one message")
    })?;
    all.iter().enumerate().map(|(i, value)| message(&format!("messages[{i}]"), value)).collect()
}

fn message(at: &str, value: &Value) -> Result<Message, Refusal> {
    let Some(members) = value.as_object() else {
        return Err(Refusal::invalid(Some(at), format!("{at} must be an object")));
    };
    let given = |name: &str| members.get(name).filter(|value| !value.is_null());
    let role_at = format!("{at}.role");
    let role = match given("role").and_then(Value::as_str) {
        Some("system" | "developer") => "system",
        Some("user") => "user",
        Some("assistant") => "assistant",
        Some("tool" | "function") => {
            return Err(Refusal::unsupported(&role_at, "this model does not use tools"));
        }
        _ => {
            return Err(Refusal::invalid(
                Some(&role_at),
                format!("{role_at} must be system, developer, user or assistant"),
            ));
        }
    };
    for name in ["tool_calls", "function_call", "audio"] {
        if given(name).is_some_and(|value| value.as_array().is_none_or(|all| !all.is_empty())) {
            let at = format!("{at}.{name}");
            return Err(Refusal::unsupported(&at, format!("{at} is not supported: leave it out")));
        }
    }
    let content_at = format!("{at}.content");
    let content = match given("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .enumerate()
            .map(|(i, value)| part(&format!("{content_at}[{i}]"), value))
            .collect::<Result<_, _>>()?,
        _ => {
            let message = format!("{content_at} must be a string or a list of text parts");
            return Err(Refusal::invalid(Some(&content_at), message));
        }
    };
    Ok(Message { role, content })
}

fn part<'a>(at: &str, value: &'a Value) -> Result<&'a str, Refusal> {
    match value["type"].as_str() {
        Some("text") => {
            let at = format!("{at}.text");
            value["text"]
                .as_str()
                .ok_or_else(|| Refusal::invalid(Some(&at), format!("{at} must be a string")))
        }
        Some(kind @ ("image_url" | "input_audio" | "file" | "refusal")) => Err(Refusal::unsupported(
            &format!("{at}.type"),
            format!("this model reads text only, not {kind}"),
        )),
        _ => Err(Refusal::invalid(Some(&format!("{at}.type")), format!("{at}.type must be text"))),
    }
}

#[cfg(test)]
mod tests;
