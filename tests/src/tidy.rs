//! The house's invariants as tests, as far as a text can show them.
//!
//! Each check is a function from texts to findings, so that it can be shown to fail as well.

mod agreement;
mod manifest;
mod members;
mod ports;
mod pure;
mod repository;
mod source;
mod text;

use libtest_mimic::{Failed, Trial};
use repository::Repository;

/// What a check found wrong: one sentence each, with the file.
type Findings = Vec<String>;

/// One invariant.
type Check = fn(&Repository) -> Findings;

/// Every invariant.
pub fn trials() -> Vec<Trial> {
    let checks: [(&str, Check); 15] = [
        ("async stands only where the core drives", pure::async_is_in_its_place),
        ("the core is pure", pure::is_pure),
        ("the core may not panic", pure::may_not_panic),
        ("the core depends on its allow-list only", pure::depends_on_the_allowed),
        ("ports speak mechanism", ports::speak_mechanism),
        ("ports take no future", ports::take_no_future),
        ("members depend in one direction", members::point_one_way),
        ("members inherit the lints", members::inherit_lints),
        ("members take versions from the one table", members::take_versions_from_the_table),
        ("the table has no idle row", members::use_every_row),
        ("files are short", text::files_are_short),
        ("no machine is named", text::no_machine_is_named),
        ("no flags for the whole workspace", text::no_workspace_flags),
        ("every dependency has its reason", agreement::dependencies_have_reasons),
        ("deploy files agree, licences are there", agreement::files_agree),
    ];
    checks.into_iter().map(|(name, check)| Trial::test(name, move || judge(check))).collect()
}

fn judge(check: Check) -> Result<(), Failed> {
    let findings = check(&Repository::open()?);
    if findings.is_empty() { Ok(()) } else { Err(findings.join("\n").into()) }
}
