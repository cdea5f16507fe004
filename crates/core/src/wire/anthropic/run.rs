//! Code that the platform ran, as Anthropic's `server_tool_use` and its result.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::wire::event::{Container, Run, RunEnd};

/// A run's id, which the call and its result share.
pub(super) fn id(answer: &str, run: &Run) -> String {
    format!("srvtoolu_{answer}_{}", run.number)
}

/// The call.
pub(super) fn call(run: &Run, id: &str, input: Value) -> Value {
    json!({"type": "server_tool_use", "id": id, "name": run.function.name, "input": input})
}

/// What it is called with.
pub(super) fn input(run: &Run) -> Value {
    json!({run.function.argument: run.code})
}

/// What came of it. Files would be named by their ids in Anthropic's store: here they stand beside.
pub(super) fn result(run: &Run, end: &RunEnd, id: &str) -> Value {
    let name = run.function.name;
    let content = match &end.refused {
        Some(why) => json!({
            "type": format!("{name}_tool_result_error"),
            "error_code": "unavailable",
            "opencode_reason": why,
        }),
        None => json!({
            "type": format!("{name}_result"),
            "stdout": end.stdout,
            "stderr": end.stderr,
            "return_code": end.exit_code,
            "content": [],
        }),
    };
    let mut result = json!({"type": format!("{name}_tool_result"), "tool_use_id": id, "content": content});
    if let (false, Some(result)) = (end.files.is_empty(), result.as_object_mut()) {
        let files = end.files.iter().map(|file| file.shown()).collect();
        result.insert("opencode_files".to_owned(), files);
    }
    result
}

/// The container, where there is one.
pub(super) fn container(container: &Container) -> Option<Value> {
    let Container { id, expires } = container;
    (!id.is_empty()).then(|| json!({"id": id, "expires_at": rfc3339(*expires)}))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as `1994-11-06T08:49:37Z`.
fn rfc3339(seconds: u64) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    // The year 9999 is the last that it can write.
    let time = time.filter(|_| seconds < 253_402_300_800).unwrap_or(SystemTime::UNIX_EPOCH);
    let date = httpdate::fmt_http_date(time);
    let mut words = date.split_ascii_whitespace().skip(1);
    let (day, month) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (year, time) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = names.iter().position(|name| *name == month).unwrap_or_default().saturating_add(1);
    format!("{year}-{month:02}-{day}T{time}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_anthropic_does() {
        assert_eq!(rfc3339(784_111_777), "1994-11-06T08:49:37Z");
        assert_eq!(rfc3339(u64::MAX), "1970-01-01T00:00:00Z");
    }
}
