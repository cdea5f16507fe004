//! `POST /api/v1/sandbox/execute`: what a caller asks of the sandbox, and what it is answered.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::platform::{bad, member, object};
use crate::error::{Error, Kind};
use crate::sandbox::{Encoding, Execution, File, Language, Limits, VERSION, bounds};

/// A run that a caller asks for.
#[derive(Debug)]
pub struct Request {
    /// What is to be run. Within the protocol's bounds and the tenant's.
    pub execution: Execution,
    /// Whether what it writes is told as it comes.
    pub stream: bool,
    /// Whose files it takes up and leaves.
    pub session: Option<String>,
}

/// Every member; others are refused, so that a misspelt limit is not one that silently does not hold.
const MEMBERS: [&str; 10] =
    ["language", "code", "files", "stdin", "args", "env", "limits", "timeout", "stream", "session"];

/// Reads and checks a request. `default` is what holds where it names no limits, `most` what it may ask for.
pub fn read(bytes: &[u8], default: &Limits, most: &Limits) -> Result<Request, Error> {
    let body = object(bytes)?;
    if body.get("context").is_some_and(|context| !context.is_null()) {
        return Err(bad("context", "is not taken: send `files`, `env` or `stdin`"));
    }
    let names = body.as_object().into_iter().flat_map(Map::keys);
    if let Some(name) = names.into_iter().find(|name| !MEMBERS.contains(&name.as_str()) && *name != "context")
    {
        return Err(bad(name, &format!("is not known here; known: {}", MEMBERS.join(", "))));
    }
    let wanted: String = member(&body, "language", "a string")?.unwrap_or_default();
    let language = Language::find(&wanted).map_or(wanted, |row| row.name.to_owned());
    let code: String = member(&body, "code", "a string")?.unwrap_or_default();
    if code.trim().is_empty() {
        return Err(bad("code", "must not be empty"));
    }
    let execution = Execution {
        version: VERSION,
        language,
        code,
        files: files(&body)?,
        stdin: member(&body, "stdin", "a string")?.unwrap_or_default(),
        args: member(&body, "args", "a list of strings")?.unwrap_or_default(),
        env: env(&body)?,
        limits: limits(&body, default, most)?,
        nonce: String::new(),
        whole: false,
    };
    execution.check().map_err(|error| Error { kind: Kind::Unprocessable, ..error })?;
    let stream = member(&body, "stream", "true or false")?.unwrap_or(false);
    let session = member(&body, "session", "a string")?;
    Ok(Request { execution, stream, session })
}

fn env(body: &Value) -> Result<BTreeMap<String, String>, Error> {
    let wrong = || bad("env", "must be an object of strings");
    let mut env = BTreeMap::new();
    match body.get("env") {
        None | Some(Value::Null) => {}
        Some(Value::Object(said)) => {
            for (name, value) in said {
                env.insert(name.clone(), value.as_str().ok_or_else(wrong)?.to_owned());
            }
        }
        Some(_) => return Err(wrong()),
    }
    Ok(env)
}

/// The `files` of a body.
pub fn files(body: &Value) -> Result<Vec<File>, Error> {
    let all = match body.get("files") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(all)) => all,
        Some(_) => return Err(bad("files", "must be a list")),
    };
    // The protocol's own bound is told by its check: what is read before it must be bounded, too.
    let files = all.iter().take(bounds::FILES.saturating_add(1)).enumerate().map(|(at, file)| {
        let within = |error: Error| {
            let param = error.param.as_deref().unwrap_or_default();
            bad(&format!("files[{at}].{param}"), "must be a string, and `encoding` utf8 or base64")
        };
        let text = |name: &str| member::<String>(file, name, "a string").map_err(within);
        let encoding = match text("encoding")?.as_deref() {
            None | Some("utf8") => Encoding::Utf8,
            Some("base64") => Encoding::Base64,
            Some(_) => return Err(within(Error::invalid("").at("encoding"))),
        };
        let content = text("content")?.ok_or_else(|| within(Error::invalid("").at("content")))?;
        Ok(File { name: text("name")?.unwrap_or_default(), content, encoding })
    });
    files.collect()
}

/// The limits that are asked for, over the defaults; each names its bound where it goes past it. `timeout` is the
/// original's: seconds of wall time.
fn limits(body: &Value, default: &Limits, most: &Limits) -> Result<Limits, Error> {
    let asked = match body.get("limits") {
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(limits) if limits.is_object() => limits.clone(),
        Some(_) => return Err(bad("limits", "must be an object")),
    };
    let timeout: Option<f64> = member(body, "timeout", "a number of seconds")?;
    let wall = timeout.map(|seconds| (seconds * 1e3) as u64);
    if wall.is_some() && asked.get("wall_ms").is_some() {
        return Err(bad("timeout", "says the same as `limits.wall_ms`: leave one of them out"));
    }
    let names = default.rows().map(|(name, ..)| name);
    if let Some(name) =
        asked.as_object().into_iter().flat_map(Map::keys).find(|it| !names.contains(&it.as_str()))
    {
        return Err(bad(
            &format!("limits.{name}"),
            &format!("is not known here; known: {}", names.join(", ")),
        ));
    }
    let mut wrong = None;
    let mut tops = most.rows().into_iter();
    let limits = default.map(|name, default| {
        let (top, least) = tops.next().map_or((default, 0), |(_, top, range)| (top, *range.start()));
        let said = match asked.get(name) {
            None | Some(Value::Null) if name == "wall_ms" => wall,
            None | Some(Value::Null) => None,
            Some(said) => Some(said.as_u64().unwrap_or(u64::MAX)),
        };
        let Some(said) = said else {
            // More wall time is nothing without the processor's.
            let default = if name == "cpu_ms" { wall.unwrap_or(default).max(default) } else { default };
            return default.min(top);
        };
        if !(least..=top).contains(&said) {
            let of = if name == "wall_ms" && wall.is_some() {
                "timeout".to_owned()
            } else {
                format!("limits.{name}")
            };
            let must = match of.as_str() {
                "timeout" => format!("must be {least} to {top} milliseconds, written in seconds"),
                _ => format!("must be a whole number, {least} to {top}"),
            };
            wrong.get_or_insert(bad(&of, &must));
        }
        said
    });
    wrong.map_or(Ok(limits), Err)
}

/// An outcome as a caller is told of it: the sandbox's own members, beside them those of the original.
pub fn answer(mut outcome: Value, language: &str, trace: &str) -> Value {
    let text = |name: &str| outcome.get(name).and_then(Value::as_str).unwrap_or_default();
    let success = text("status") == "ok";
    let error = if success { Value::Null } else { failure(&outcome).into() };
    let result = outcome.get("result");
    let value = result.and_then(|it| it.get("json").or_else(|| it.get("text"))).cloned();
    let seconds = outcome.get("duration_ms").and_then(Value::as_f64).unwrap_or_default() / 1e3;
    if let Some(outcome) = outcome.as_object_mut() {
        for (name, value) in [
            ("success", success.into()),
            ("return_value", value.unwrap_or_default()),
            ("execution_time", seconds.into()),
            ("error", error),
            ("language", language.into()),
            ("trace_id", trace.into()),
        ] {
            outcome.insert(name.to_owned(), value);
        }
    }
    outcome
}

/// Why a run did not succeed, in a sentence.
pub fn failure(outcome: &Value) -> String {
    let text = |name: &str| outcome.get(name).and_then(Value::as_str).unwrap_or_default();
    if !text("message").is_empty() {
        return text("message").to_owned();
    }
    let last = text("stderr").lines().rev().map(str::trim).find(|line| !line.is_empty());
    match (text("status"), last) {
        ("error", Some(line)) => line.chars().take(500).collect(),
        ("error", None) => {
            format!("it ended with exit code {}", outcome.get("exit_code").unwrap_or(&Value::Null))
        }
        ("timeout", _) => "it used up its time".to_owned(),
        ("memory", _) => "it used more memory than it may".to_owned(),
        ("output", _) => "it wrote more than it may".to_owned(),
        ("disk", _) => "it wrote more to its folder than it may".to_owned(),
        ("files", _) => "it made more files than it may".to_owned(),
        (status, _) => status.replace('_', " "),
    }
}

/// The first event of a stream.
pub fn started(language: &str, trace: &str) -> Value {
    json!({"language": language, "trace_id": trace})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Result<Request, (u16, Option<String>)> {
        let most = Limits { wall_ms: 60_000, ..Limits::default().map(|_, value| value.saturating_mul(2)) };
        read(body.as_bytes(), &Limits::default(), &most).map_err(|error| (error.status(), error.param))
    }

    #[test]
    fn every_bound_is_named() {
        let at = |name: &str| Some((422, Some(name.to_owned())));
        let python = |rest: &str| said(&format!(r#"{{"language":"py","code":"1",{rest}}}"#)).err();
        assert_eq!(said("[]").err(), Some((400, None)));
        assert_eq!(said(r#"{"language":"cobol","code":"1"}"#).err(), at("language"));
        assert_eq!(said(r#"{"language":"python"}"#).err(), at("code"));
        assert_eq!(python(r#""context":{}"#), at("context"));
        assert_eq!(python(r#""context":null,"stdin":"x""#), None);
        assert_eq!(python(r#""timout":5"#), at("timout"));
        assert_eq!(python(r#""timeout":"5""#), at("timeout"));
        assert_eq!(python(r#""timeout":61"#), at("timeout"));
        assert_eq!(python(r#""timeout":-1"#), at("timeout"));
        assert_eq!(python(r#""timeout":5,"limits":{"wall_ms":5000}"#), at("timeout"));
        assert_eq!(python(r#""limits":{"wall_ms":1.5}"#), at("limits.wall_ms"));
        assert_eq!(python(r#""limits":{"wall":1}"#), at("limits.wall"));
        assert_eq!(python(r#""limits":{"processes":129}"#), at("limits.processes"));
        assert_eq!(python(r#""limits":[]"#), at("limits"));
        assert_eq!(python(r#""files":{}"#), at("files"));
        assert_eq!(python(r#""files":[{"name":"a","content":1}]"#), at("files[0].content"));
        assert_eq!(
            python(r#""files":[{"name":"a","content":"","encoding":"hex"}]"#),
            at("files[0].encoding")
        );
        assert_eq!(python(r#""files":[{"name":"../a","content":""}]"#), at("files[0].name"));
        assert_eq!(python(r#""args":[1]"#), at("args"));
        assert_eq!(python(r#""env":{"LD_PRELOAD":"x"}"#), at("env"));
    }

    #[test]
    fn the_originals_names_are_understood() {
        let request = said(r#"{"language":"python3","code":"1","timeout":45.5,"stream":true}"#).unwrap();
        assert_eq!((request.execution.language.as_str(), request.stream), ("python", true));
        assert_eq!(request.execution.limits.wall_ms, 45_500);
        assert_eq!(request.execution.limits.cpu_ms, 45_500);
        assert_eq!(said(r#"{"language":"sh","code":"1"}"#).unwrap().execution.limits, Limits::default());
        let outcome = json!({"status": "ok", "duration_ms": 1500.0, "result": {"text": "[1]", "json": [1]}});
        let answer = answer(outcome, "python", "t");
        assert_eq!(answer["success"], true);
        assert_eq!(answer["return_value"], json!([1]));
        assert_eq!(answer["execution_time"], 1.5);
        assert_eq!(answer["error"], Value::Null);
        assert_eq!(
            failure(&json!({"status": "error", "stderr": "Traceback\nNameError: x\n\n"})),
            "NameError: x"
        );
    }
}
