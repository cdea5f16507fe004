//! The real thing: programs behind the barriers of the machine that the tests run on.

mod ends;

use opencode_core::sandbox::{Execution, Outcome};

use super::{Sandbox, Settings, Trust};

/// A sandbox of its own for a test.
fn sandbox() -> Sandbox {
    Sandbox::new(Settings::default()).unwrap()
}

/// Runs it in a new sandbox and expects that nothing is left.
fn run(execution: &Execution) -> Outcome {
    let (outcome, trust) = sandbox().run(execution, &mut |_| {});
    assert_eq!(trust, Trust::Clean, "{outcome:?}");
    outcome
}

fn python(code: &str) -> Outcome {
    run(&Execution::of("python", code))
}
