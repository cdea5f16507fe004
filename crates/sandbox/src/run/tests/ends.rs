//! How runs end.

use opencode_core::sandbox::Status;

use super::python;

#[test]
fn it_prints() {
    let outcome = python("print(1)");
    assert_eq!(
        (outcome.status, outcome.stdout.as_str(), outcome.stderr.as_str()),
        (Status::Ok, "1\n", ""),
        "{outcome:?}"
    );
    assert_eq!(outcome.exit_code, Some(0));
}
