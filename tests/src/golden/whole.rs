//! Answers that are not streamed.

use std::path::Path;

use libtest_mimic::Failed;
use opencode_core::wire::Dialect;
use opencode_core::wire::answer::Answer;

use super::{DIALECTS, expect, head};

/// Checks one case.
pub fn check(dialect: Dialect, case: &Path) -> Result<(), Failed> {
    let body = std::fs::read(case.join("upstream.json"))?;
    let events = dialect.decode_whole(&body);
    let lines: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
    expect(case, "events.txt", &(lines.join("\n") + "\n"))?;
    let mut answer = Answer::default();
    events.iter().for_each(|event| answer.add(event));
    if answer.finish.is_none() {
        return Ok(());
    }
    for (name, caller) in DIALECTS.into_iter().filter(|(_, caller)| *caller != dialect) {
        let text = serde_json::to_string_pretty(&caller.whole(&head(), &answer))?;
        expect(case, &format!("caller.{name}.json"), &(text + "\n"))?;
    }
    Ok(())
}
