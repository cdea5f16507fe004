//! How the answer should be, read from a caller's members.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::read::{invalid, member, text};
use crate::error::Error;
use crate::wire::conversation::{Format, Reasoning, Settings};
use crate::wire::json::Members;

const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// Reads what [`Settings`] has a place for. `max_completion_tokens` and `safety_identifier` come before `max_tokens` and
/// `user`, which they replace.
pub fn read(body: &Map<String, Value>, members: &Members) -> Result<Settings, Error> {
    let max_output = match whole(body, "max_completion_tokens", 1)? {
        Some(most) => Some(most),
        None => whole(body, "max_tokens", 1)?,
    };
    let user = match text(body.get("safety_identifier"), "safety_identifier")? {
        Some(user) => Some(user),
        None => text(body.get("user"), "user")?,
    };
    Ok(Settings {
        max_output,
        temperature: number(body, "temperature", 0.0..=2.0)?,
        top_p: number(body, "top_p", 0.0..=1.0)?,
        top_k: whole(body, "top_k", 0)?,
        presence_penalty: number(body, "presence_penalty", -2.0..=2.0)?,
        frequency_penalty: number(body, "frequency_penalty", -2.0..=2.0)?,
        seed: seed(body)?,
        stop: stop(body.get("stop"))?,
        parallel_tools: boolean(body.get("parallel_tool_calls"), "parallel_tool_calls")?,
        format: format(members)?,
        reasoning: reasoning(body)?,
        user,
    })
}

fn number(body: &Map<String, Value>, name: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, Error> {
    let Some(value) = body.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let number = value.as_f64().filter(|number| range.contains(number));
    let wants = || invalid(name, &format!("a number from {} to {}", range.start(), range.end()));
    number.map(Some).ok_or_else(wants)
}

/// Some clients write whole numbers as floats.
fn whole(members: &Map<String, Value>, name: &str, least: u64) -> Result<Option<u64>, Error> {
    let Some(value) = members.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let float = || value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0);
    let number = value.as_u64().or_else(|| float().map(|number| number as u64));
    let number = number.filter(|number| *number >= least);
    number.map(Some).ok_or_else(|| invalid(name, &format!("a whole number of at least {least}")))
}

fn seed(body: &Map<String, Value>) -> Result<Option<i64>, Error> {
    let Some(value) = body.get("seed").filter(|value| !value.is_null()) else { return Ok(None) };
    value.as_i64().map(Some).ok_or_else(|| invalid("seed", "a whole number of 64 bits"))
}

fn boolean(value: Option<&Value>, path: &str) -> Result<Option<bool>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(invalid(path, "true or false")),
    }
}

fn stop(value: Option<&Value>) -> Result<Vec<String>, Error> {
    let wrong = || invalid("stop", "a string or an array of strings");
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(texts)) => {
            let texts = texts.iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>().ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

fn format(members: &Members) -> Result<Format, Error> {
    const PATH: &str = "response_format";
    const KINDS: &str = "`text`, `json_object` or `json_schema`";
    let wrong = || invalid("response_format.type", KINDS);
    let Some(wanted) = members.read::<Members>(PATH).map_err(|_| wrong())? else { return Ok(Format::Text) };
    match member::<String>(&wanted, "type", PATH, KINDS)?.as_deref() {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => schema(&wanted, "response_format.json_schema"),
        _ => Err(wrong()),
    }
}

fn schema(format: &Members, path: &str) -> Result<Format, Error> {
    let wanted = format.read::<Members>("json_schema").ok().flatten();
    let wanted = wanted.ok_or_else(|| invalid(path, "an object with a `name` and a `schema`"))?;
    let name = member::<String>(&wanted, "name", path, "a name for the schema")?;
    let name = name.filter(|name| !name.is_empty());
    Ok(Format::Schema {
        name: name.ok_or_else(|| invalid(&format!("{path}.name"), "a name for the schema"))?,
        description: member(&wanted, "description", path, "a string")?,
        schema: member(&wanted, "schema", path, "a JSON Schema: an object")?.unwrap_or_default(),
        strict: member(&wanted, "strict", path, "true or false")?,
    })
}

/// `reasoning_effort` of OpenAI, and `reasoning` and `include_reasoning` of OpenRouter ("Reasoning tokens": `enabled`
/// alone is `medium`).
fn reasoning(body: &Map<String, Value>) -> Result<Option<Reasoning>, Error> {
    let mut wanted = Reasoning {
        effort: effort(body.get("reasoning_effort"), "reasoning_effort")?,
        budget: None,
        visible: boolean(body.get("include_reasoning"), "include_reasoning")?,
    };
    match body.get("reasoning") {
        None | Some(Value::Null) => {}
        Some(Value::Object(reasoning)) => {
            if let Some(effort) = effort(reasoning.get("effort"), "reasoning.effort")? {
                wanted.effort = Some(effort);
            }
            wanted.budget =
                whole(reasoning, "max_tokens", 0).map_err(|error| error.at("reasoning.max_tokens"))?;
            if let Some(exclude) = boolean(reasoning.get("exclude"), "reasoning.exclude")? {
                wanted.visible = Some(!exclude);
            }
            let enabled = boolean(reasoning.get("enabled"), "reasoning.enabled")?;
            match enabled {
                Some(false) => wanted = Reasoning { effort: Some("none".to_owned()), budget: None, ..wanted },
                Some(true) if wanted.effort.is_none() && wanted.budget.is_none() => {
                    wanted.effort = Some("medium".to_owned());
                }
                _ => {}
            }
        }
        Some(_) => return Err(invalid("reasoning", "an object with `effort` or `max_tokens`")),
    }
    Ok(Some(wanted).filter(|wanted| *wanted != Reasoning::default()))
}

fn effort(value: Option<&Value>, path: &str) -> Result<Option<String>, Error> {
    let Some(effort) = text(value, path)? else { return Ok(None) };
    let known = EFFORTS.contains(&effort.as_str());
    if known { Ok(Some(effort)) } else { Err(invalid(path, &format!("one of {}", EFFORTS.join(", ")))) }
}
