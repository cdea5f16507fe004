//! The stand-in with the real engine behind it.

use std::path::PathBuf;

use opencode_core::sandbox::{Execution, Status};
use opencode_sandbox::serve::local::Options;

use crate::client::Local;

fn local() -> Local {
    let mut options = Options::new(Vec::new());
    options.program = Some(PathBuf::from(env!("CARGO_BIN_EXE_opencode-sandbox")));
    options.variables.extend(std::env::var_os("PATH").map(|path| ("PATH".into(), path)));
    Local::start(options).unwrap()
}

#[test]
fn code_runs_and_is_reported() {
    let local = local();
    let outcome =
        local.execute("a", &Execution::of("bash", "cat; echo out; echo err >&2; echo x > made; exit 3"));
    assert_eq!((outcome.status, outcome.exit_code), (Status::Error, Some(3)), "{outcome:?}");
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("out\n", "err\n"));
    assert_eq!(outcome.artifacts.len(), 1);
    assert!(outcome.isolation.nondumpable && !outcome.isolation.recycled, "{:?}", outcome.isolation);
    let (lines, complete) = local.stream("a", &Execution::of("bash", "echo one; sleep 0.1; echo two"));
    let text: String = lines.iter().filter_map(|line| line.text.as_deref()).collect();
    assert_eq!((text.as_str(), complete.as_str()), ("one\ntwo\n", "{}"));
}

#[test]
fn neither_the_seal_nor_the_runtime_api_is_in_the_codes_environment() {
    let mut execution = Execution::of("bash", "env; cat /proc/$PPID/environ; ls $1/*/*/api");
    execution.args = vec![std::env::temp_dir().display().to_string()];
    let outcome = local().execute("a", &execution);
    let all = outcome.stdout + &outcome.stderr;
    assert!(all.contains("HOME=") && !all.contains("OPENCODE_SANDBOX"), "{all}");
    assert!(!all.contains("socket"), "{all}");
}
