//! Answers that are not streamed.

use std::path::Path;

use libtest_mimic::Failed;
use opencode_core::wire::openai::decode_whole;

use super::expect;

/// Checks one case.
pub fn check(case: &Path) -> Result<(), Failed> {
    let body = std::fs::read(case.join("upstream.json"))?;
    let lines: Vec<String> = decode_whole(&body).iter().map(|event| format!("{event:?}")).collect();
    expect(case, "events.txt", &(lines.join("\n") + "\n"))
}
