//! Code that the platform ran, as Anthropic's `server_tool_use` and its result.

use serde_json::{Value, json};

use crate::host::Time;
use crate::wire::aws::sigv4;
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

/// `19941106T084937Z`, which AWS's signatures have, as `1994-11-06T08:49:37Z`.
fn rfc3339(seconds: u64) -> String {
    let basic = sigv4::date(Time(seconds.saturating_mul(1000)));
    let part = |from: usize, to: usize| basic.get(from..to).unwrap_or_default();
    let (date, time) = ([part(0, 4), part(4, 6), part(6, 8)], [part(9, 11), part(11, 13), part(13, 15)]);
    format!("{}T{}Z", date.join("-"), time.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_anthropic_does() {
        assert_eq!(rfc3339(784_111_777), "1994-11-06T08:49:37Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
    }
}
