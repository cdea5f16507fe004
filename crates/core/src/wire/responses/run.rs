//! Code that the platform ran, as OpenAI's `code_interpreter_call`.

use serde_json::{Value, json};

use crate::wire::event::Run;

/// The events of a run's beginning, or those of its end before its item closes.
pub(super) fn events(run: &Run, id: &str, index: usize) -> Vec<(&'static str, Value)> {
    let at = |more: &[(&str, &str)]| {
        let mut event = json!({"item_id": id, "output_index": index});
        for (name, text) in more {
            if let Some(event) = event.as_object_mut() {
                event.insert((*name).to_owned(), (*text).into());
            }
        }
        event
    };
    match &run.end {
        None => vec![
            ("response.output_item.added", json!({"output_index": index, "item": item(run, id)})),
            ("response.code_interpreter_call.in_progress", at(&[])),
            ("response.code_interpreter_call_code.delta", at(&[("delta", &run.code)])),
            ("response.code_interpreter_call_code.done", at(&[("code", &run.code)])),
            ("response.code_interpreter_call.interpreting", at(&[])),
        ],
        Some(end) if end.refused.is_none() => vec![("response.code_interpreter_call.completed", at(&[]))],
        // The description has no event for it: its item says so.
        Some(_) => Vec::new(),
    }
}

/// The item. Pictures are outputs of their own; other files, for which there is no output, stand beside them.
pub(super) fn item(run: &Run, id: &str) -> Value {
    let mut item = json!({
        "id": id,
        "type": "code_interpreter_call",
        "status": "in_progress",
        "container_id": run.container.id,
        "code": "",
        "outputs": null,
    });
    let (Some(members), Some(end)) = (item.as_object_mut(), &run.end) else { return item };
    let mut logs = end.stdout.clone();
    for said in [Some(&end.stderr), end.refused.as_ref()].into_iter().flatten().filter(|it| !it.is_empty()) {
        if !logs.is_empty() && !logs.ends_with('\n') {
            logs.push('\n');
        }
        logs.push_str(said);
    }
    let mut outputs = vec![json!({"type": "logs", "logs": logs})];
    let mut files = Vec::new();
    for file in &end.files {
        match &file.base64 {
            Some(base64) if file.media.starts_with("image/") => {
                let url = format!("data:{};base64,{base64}", file.media);
                outputs.push(json!({"type": "image", "url": url}));
            }
            _ => files.push(file.shown()),
        }
    }
    let status = if end.refused.is_some() { "failed" } else { "completed" };
    members.insert("status".to_owned(), status.into());
    members.insert("code".to_owned(), run.code.as_str().into());
    members.insert("outputs".to_owned(), outputs.into());
    if !files.is_empty() {
        members.insert("opencode_files".to_owned(), files.into());
    }
    item
}
