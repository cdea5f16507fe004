//! The real thing: programs behind the barriers of the machine that the tests run on.

mod ends;
mod files;
mod hostile;
mod languages;
mod output;
mod pieces;
mod profiles;
mod warm;

use opencode_core::sandbox::{Execution, Outcome, Profile};

use super::{Sandbox, Settings, Trust};

/// Settings for a sandbox of a test's own. The environment says what the machine has beside the usual, and whether
/// this is a process in which only the lambda profile is meant.
fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.packages.extend(std::env::var_os("OPENCODE_SANDBOX_PACKAGES").map(Into::into));
    settings.esbuild = std::env::var_os("OPENCODE_SANDBOX_ESBUILD").map(Into::into).or(settings.esbuild);
    settings.profile = is_lambda().then_some(Profile::Lambda);
    settings
}

/// A folder on the kind of disk that sandboxes use.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(Settings::default().base.parent().unwrap()).unwrap()
}

fn is_lambda() -> bool {
    std::env::var("OPENCODE_SANDBOX_TEST_PROFILE").as_deref() == Ok("lambda")
}

fn sandbox() -> Sandbox {
    Sandbox::new(settings()).unwrap()
}

/// Runs it in a new sandbox and expects that nothing is left.
fn run(execution: &Execution) -> Outcome {
    let mut sandbox = sandbox();
    let (outcome, trust) = sandbox.run(execution, &mut |_| {});
    assert_eq!(trust, Trust::Clean, "{outcome:?}");
    let left: Vec<_> = std::fs::read_dir(&sandbox.settings.base).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    outcome
}

fn python(code: &str) -> Outcome {
    run(&Execution::of("python", code))
}

/// What Python printed, of a run that must end well.
fn printed(code: &str) -> String {
    let outcome = python(code);
    assert_eq!(outcome.exit_code, Some(0), "{outcome:?}");
    outcome.stdout
}
