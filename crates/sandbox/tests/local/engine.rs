//! The stand-in with the real engine behind it.

use std::path::PathBuf;

use opencode_core::sandbox::{Execution, Profile, Status};
use opencode_sandbox::serve::local::Options;

use crate::client::Local;

fn local() -> Local {
    with(|_| {})
}

fn with(change: impl FnOnce(&mut Options)) -> Local {
    let mut options = Options::new(Vec::new());
    options.program = Some(PathBuf::from(env!("CARGO_BIN_EXE_opencode-sandbox")));
    options.variables.extend(std::env::var_os("PATH").map(|path| ("PATH".into(), path)));
    change(&mut options);
    Local::start(options).unwrap()
}

/// In the profile of Lambda nothing keeps code from ending the process that runs it; as root each environment has a user
/// of its own, so that its processes are told from all others.
#[test]
fn code_that_ends_its_sandbox_leaves_nothing() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("not run: only root can give an environment a user of its own");
    }
    let local =
        with(|options| drop(options.variables.insert("OPENCODE_SANDBOX_PROFILE".into(), "lambda".into())));
    let outcome = local.execute("a", &Execution::of("bash", "echo $UID"));
    assert_eq!((outcome.status, outcome.isolation.profile), (Status::Ok, Profile::Lambda), "{outcome:?}");
    let user = outcome.stdout.trim().to_owned();
    assert!(user.parse::<u32>().unwrap() > 60_000);
    let survivor = "setsid bash -c 'trap \"\" TERM; while :; do sleep 1; done' & kill -KILL $PPID";
    let lost = local.execute("a", &Execution::of("bash", survivor));
    assert_eq!(lost.status, Status::SandboxLost, "{lost:?}");
    let uids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next().map(str::to_owned))
    });
    assert_eq!(uids.filter(|uid| *uid == user).count(), 0);
    assert_eq!(local.execute("a", &Execution::of("bash", "ls -A")).status, Status::Ok);
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
