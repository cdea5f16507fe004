//! What a sandbox says, held against its bounds: it may have been said by the code.

use serde_json::{Map, Value};

use super::{Execution, Name, VERSION, bounds, clash};

/// A member that is not what it must be.
pub type Wrong = String;

/// Every [`super::Status`].
const STATUSES: [&str; 10] =
    ["ok", "error", "timeout", "memory", "output", "disk", "files", "killed", "sandbox_lost", "poisoned"];
const ISOLATION: [&str; 9] = [
    "seccomp",
    "no_new_privs",
    "user_namespace",
    "pid_namespace",
    "network_namespace",
    "separate_user",
    "nondumpable",
    "warm",
    "recycled",
];

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
pub fn outcome(outcome: Value, execution: &Execution) -> Result<Value, Wrong> {
    let Value::Object(mut outcome) = outcome else { return Err("it is no object".to_owned()) };
    if outcome.get("version") != Some(&Value::from(VERSION)) {
        return Err("`version` is another one".to_owned());
    }
    let text = most_text(execution);
    let out = Object(&outcome);
    out.one_of("status", &STATUSES)?;
    out.text("stdout", text)?;
    out.text("stderr", text)?;
    out.truth("stdout_truncated")?;
    out.truth("stderr_truncated")?;
    out.number("duration_ms")?;
    out.number("cpu_time_ms")?;
    out.number("peak_memory_bytes")?;
    out.given("replaced").map_or(Ok(()), |_| out.truth("replaced"))?;
    out.given("message").map_or(Ok(()), |_| out.text("message", bounds::SAID))?;
    out.given("signal").map_or(Ok(()), |_| out.text("signal", 32))?;
    let code = out.given("exit_code");
    let ended = code.is_none_or(|code| code.as_i64().is_some_and(|code| i32::try_from(code).is_ok()));
    let said_ok = out.get("status").as_str() == Some("ok");
    if !ended || (said_ok && code.and_then(Value::as_i64) != Some(0)) {
        return Err(wrong("exit_code"));
    }
    if let Some(result) = out.given("result") {
        let shown = Object::of(result, "result")?;
        shown.text("text", bounds::RESULT)?;
        shown.size("json", bounds::RESULT)?;
    }
    out.isolation()?;
    artifacts(out.list("artifacts", size(execution.limits.artifacts))?, execution)?;
    for skipped in out.list("skipped", bounds::SKIPPED)? {
        let skipped = Object::of(skipped, "skipped")?;
        skipped.text("name", bounds::SAID)?;
        skipped.text("why", 64)?;
    }
    let sent = |name: &Value| execution.files.iter().any(|file| Some(file.name.as_str()) == name.as_str());
    if !out.list("removed", bounds::FILES)?.iter().all(sent) {
        return Err(wrong("removed"));
    }
    outcome.retain(|name, _| KNOWN.contains(&name.as_str()));
    Ok(Value::Object(outcome))
}

const KNOWN: [&str; 18] = [
    "version",
    "status",
    "stdout",
    "stderr",
    "stdout_truncated",
    "stderr_truncated",
    "replaced",
    "exit_code",
    "signal",
    "duration_ms",
    "cpu_time_ms",
    "peak_memory_bytes",
    "result",
    "artifacts",
    "skipped",
    "removed",
    "message",
    "isolation",
];

fn artifacts(artifacts: &[Value], execution: &Execution) -> Result<(), Wrong> {
    let mut total = 0_u64;
    let mut names = Vec::new();
    for artifact in artifacts {
        let artifact = Object::of(artifact, "artifacts")?;
        artifact.text("name", bounds::NAME)?;
        let name = artifact.get("name").as_str().unwrap_or_default();
        if Name::parse(name).is_none() {
            return Err(wrong("artifacts.name"));
        }
        names.push(name);
        artifact.text("type", 128)?;
        let kind = artifact.get("type").as_str().unwrap_or_default();
        if !kind.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(wrong("artifacts.type"));
        }
        artifact.number("bytes")?;
        artifact.given("plot").map_or(Ok(()), |_| artifact.truth("plot"))?;
        artifact.size("data", bounds::DATA)?;
        let Some(content) = artifact.given("content") else { continue };
        let bytes = content.as_str().and_then(decoded).ok_or_else(|| wrong("artifacts.content"))?;
        if artifact.get("bytes").as_u64() != Some(bytes) {
            return Err(wrong("artifacts.bytes"));
        }
        total = total.saturating_add(bytes);
    }
    if total > execution.limits.artifacts_bytes || clash(names).is_some() {
        return Err(wrong("artifacts"));
    }
    Ok(())
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

/// An object of which members are asked.
struct Object<'a>(&'a Map<String, Value>);

impl<'a> Object<'a> {
    fn of(value: &'a Value, name: &str) -> Result<Self, Wrong> {
        value.as_object().map(Object).ok_or_else(|| wrong(name))
    }

    fn get(&self, name: &str) -> &'a Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// A member that is there and not null.
    fn given(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str, most: usize) -> Result<(), Wrong> {
        let fits = self.get(name).as_str().is_some_and(|text| text.len() <= most);
        if fits { Ok(()) } else { Err(wrong(name)) }
    }

    fn one_of(&self, name: &str, among: &[&str]) -> Result<(), Wrong> {
        let known = self.get(name).as_str().is_some_and(|text| among.contains(&text));
        if known { Ok(()) } else { Err(wrong(name)) }
    }

    fn truth(&self, name: &str) -> Result<(), Wrong> {
        if self.get(name).is_boolean() { Ok(()) } else { Err(wrong(name)) }
    }

    fn number(&self, name: &str) -> Result<(), Wrong> {
        let sound = self.get(name).as_f64().is_some_and(|number| (0.0..1e15).contains(&number));
        if sound { Ok(()) } else { Err(wrong(name)) }
    }

    /// A list that may be missing.
    fn list(&self, name: &str, most: usize) -> Result<&'a [Value], Wrong> {
        match self.given(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) if items.len() <= most => Ok(items),
            Some(_) => Err(wrong(name)),
        }
    }

    /// Anything of so many bytes.
    fn size(&self, name: &str, most: usize) -> Result<(), Wrong> {
        let fits = self.given(name).is_none_or(|value| value.to_string().len() <= most);
        if fits { Ok(()) } else { Err(wrong(name)) }
    }

    fn isolation(&self) -> Result<(), Wrong> {
        let isolation = Object::of(self.get("isolation"), "isolation")?;
        isolation.one_of("profile", &["full", "lambda"])?;
        isolation.number("landlock_abi")?;
        let known = |name: &String| ISOLATION.contains(&name.as_str());
        let others = |name: &&String| !matches!(name.as_str(), "profile" | "landlock_abi");
        if isolation.0.keys().filter(others).any(|name| !known(name)) {
            return Err(wrong("isolation"));
        }
        ISOLATION.iter().try_for_each(|name| isolation.truth(name))
    }
}

fn wrong(name: &str) -> Wrong {
    format!("`{name}` is not what it must be")
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
