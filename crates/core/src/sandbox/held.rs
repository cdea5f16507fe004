//! What a sandbox says, held against its bounds: it may have been said by the code.

use serde_json::Value;

use super::{Execution, Name, VERSION, bounds, clash};

/// A member that is not what it must be.
pub type Wrong = String;

/// Every [`super::Status`].
const STATUSES: [&str; 10] =
    ["ok", "error", "timeout", "memory", "output", "disk", "files", "killed", "sandbox_lost", "poisoned"];
/// The most bytes of a run's standard output, and of its standard error: a byte that is no UTF-8 stands as three.
pub fn most_text(execution: &Execution) -> usize {
    size(execution.limits.output_bytes).saturating_mul(3).saturating_add(16)
}

/// The most bytes of all lines of an answer: text whose letters all stand as `\u0000`, artifacts in base64, and what
/// stands around them.
pub fn most_answer(execution: &Execution) -> usize {
    let texts = size(execution.limits.output_bytes).saturating_mul(12);
    let files = size(execution.limits.artifacts_bytes).saturating_mul(4).div_ceil(3);
    let around = size(execution.limits.artifacts).saturating_mul(bounds::SAID);
    let fixed = bounds::RESULT.saturating_mul(2).saturating_add(bounds::DATA).saturating_add(2 * 1024 * 1024);
    [files, around, fixed].iter().fold(texts, |sum, part| sum.saturating_add(*part))
}

/// An outcome that is within every bound, without the members that nobody knows. The error names the first that is
/// wrong.
pub fn outcome(mut outcome: Value, execution: &Execution) -> Result<Value, Wrong> {
    let text = most_text(execution);
    let members = [
        Member("version", Must::Be(VERSION)),
        Member("status", Must::Status),
        Member("stdout", Must::Text(text)),
        Member("stderr", Must::Text(text)),
        Member("stdout_truncated", Must::Truth),
        Member("stderr_truncated", Must::Truth),
        Member("replaced", Must::MayBeTruth),
        Member("exit_code", Must::Code),
        Member("signal", Must::MayText(32)),
        Member("duration_ms", Must::Number),
        Member("cpu_time_ms", Must::Number),
        Member("peak_memory_bytes", Must::Number),
        Member(
            "result",
            Must::MayObject(&[
                Member("text", Must::Text(bounds::RESULT)),
                Member("json", Must::Size(bounds::RESULT)),
            ]),
        ),
        Member(
            "artifacts",
            Must::List(
                size(execution.limits.artifacts),
                &[
                    Member("name", Must::Name),
                    Member("type", Must::Media),
                    Member("bytes", Must::Number),
                    Member("content", Must::Base64),
                    Member("plot", Must::MayBeTruth),
                    Member("data", Must::Size(bounds::DATA)),
                ],
            ),
        ),
        Member(
            "skipped",
            Must::List(
                bounds::SKIPPED,
                &[Member("name", Must::Text(bounds::SAID)), Member("why", Must::Text(64))],
            ),
        ),
        Member("removed", Must::List(bounds::FILES, &[])),
        Member("message", Must::MayText(bounds::SAID)),
        Member("isolation", Must::Object(&ISOLATION)),
    ];
    held(&mut outcome, &members, "")?;
    let get = |name: &str| outcome.get(name).unwrap_or(&Value::Null);
    if get("status") == "ok" && get("exit_code") != 0 {
        return Err(wrong("", "exit_code"));
    }
    let sent = |name: &Value| execution.files.iter().any(|file| name == file.name.as_str());
    if !list(get("removed")).iter().all(sent) {
        return Err(wrong("", "removed"));
    }
    files(list(get("artifacts")), execution)?;
    Ok(outcome)
}

const ISOLATION: [Member<'static>; 11] = [
    Member("profile", Must::Profile),
    Member("landlock_abi", Must::Number),
    Member("seccomp", Must::Truth),
    Member("no_new_privs", Must::Truth),
    Member("user_namespace", Must::Truth),
    Member("pid_namespace", Must::Truth),
    Member("network_namespace", Must::Truth),
    Member("separate_user", Must::Truth),
    Member("nondumpable", Must::Truth),
    Member("warm", Must::Truth),
    Member("recycled", Must::Truth),
];

/// A member of an object, and what it must be.
struct Member<'a>(&'static str, Must<'a>);

/// `May…`: it may be missing, or null.
enum Must<'a> {
    Be(u32),
    Status,
    Profile,
    Text(usize),
    MayText(usize),
    Truth,
    MayBeTruth,
    /// 0 or more.
    Number,
    /// A process's exit code, which may be missing.
    Code,
    /// Anything of so many bytes, which may be missing.
    Size(usize),
    /// A file's name.
    Name,
    Media,
    /// It may be missing.
    Base64,
    Object(&'a [Member<'a>]),
    MayObject(&'a [Member<'a>]),
    /// Of so many objects, or, without members, of anything; it may be missing.
    List(usize, &'a [Member<'a>]),
}

/// Holds an object against its members, and takes out what is none of them. A table, because a function for each would
/// take three times as much of a Worker.
fn held(value: &mut Value, members: &[Member<'_>], at: &str) -> Result<(), Wrong> {
    let Value::Object(object) = value else { return Err(wrong(at, "it")) };
    let mut none = Value::Null;
    for Member(name, must) in members {
        let value = object.get_mut(*name).unwrap_or(&mut none);
        let missing = value.is_null();
        let text = value.as_str();
        let short = |most: &usize| text.is_some_and(|text| text.len() <= *most);
        let sound = match must {
            Must::Be(number) => *value == *number,
            Must::Status => text.is_some_and(|text| STATUSES.contains(&text)),
            Must::Profile => matches!(text, Some("full" | "lambda")),
            Must::Text(most) => short(most),
            Must::MayText(most) => missing || short(most),
            Must::Truth => value.is_boolean(),
            Must::MayBeTruth => missing || value.is_boolean(),
            Must::Number => value.as_f64().is_some_and(|number| (0.0..1e15).contains(&number)),
            Must::Code => missing || value.as_i64().is_some_and(|code| i32::try_from(code).is_ok()),
            Must::Size(most) => missing || value.to_string().len() <= *most,
            Must::Name => text.is_some_and(|name| Name::parse(name).is_some()),
            Must::Media => text.is_some_and(|media| {
                media.len() <= 128 && media.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
            }),
            Must::Base64 => missing || text.is_some_and(|text| decoded(text).is_some()),
            Must::Object(members) => {
                held(value, members, name)?;
                true
            }
            Must::MayObject(members) => {
                if !missing {
                    held(value, members, name)?;
                }
                true
            }
            Must::List(most, members) => match value {
                Value::Null => true,
                Value::Array(items) if items.len() <= *most => {
                    if !members.is_empty() {
                        items.iter_mut().try_for_each(|item| held(item, members, name))?;
                    }
                    true
                }
                _ => false,
            },
        };
        if !sound {
            return Err(wrong(at, name));
        }
    }
    object.retain(|name, _| members.iter().any(|Member(known, _)| known == name));
    Ok(())
}

/// Whether the files that are handed back are as large as they say, small enough together, and can lie side by side.
fn files(artifacts: &[Value], execution: &Execution) -> Result<(), Wrong> {
    let mut total = 0_u64;
    for artifact in artifacts {
        let Some(bytes) = artifact.get("content").and_then(Value::as_str).and_then(decoded) else { continue };
        if artifact.get("bytes").and_then(Value::as_u64) != Some(bytes) {
            return Err(wrong("artifacts", "bytes"));
        }
        total = total.saturating_add(bytes);
    }
    let names = artifacts.iter().filter_map(|artifact| artifact.get("name").and_then(Value::as_str));
    if total > execution.limits.artifacts_bytes || clash(names).is_some() {
        return Err(wrong("", "artifacts"));
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// How many bytes a text of base64 holds; nothing is built of it.
fn decoded(text: &str) -> Option<u64> {
    let letters = text.trim_end_matches('=');
    let padding = text.len().checked_sub(letters.len())?;
    let sound = letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    let whole = text.len().is_multiple_of(4) && padding <= 2;
    let bytes = (text.len() / 4).checked_mul(3)?.checked_sub(padding)?;
    (sound && whole).then_some(u64::try_from(bytes).ok()?)
}

fn wrong(at: &str, name: &str) -> Wrong {
    let dot = if at.is_empty() { "" } else { "." };
    format!("`{at}{dot}{name}` is not what it must be")
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
