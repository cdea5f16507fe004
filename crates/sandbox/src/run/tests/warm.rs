//! Interpreters that were started ahead.

use opencode_core::sandbox::{Encoding, Execution, File, Status};

use super::{is_lambda, settings};
use crate::run::{Sandbox, Trust};

fn warm() -> Sandbox {
    let mut settings = settings();
    settings.warm = vec!["python".to_owned(), "javascript".to_owned()];
    let mut sandbox = Sandbox::new(settings).unwrap();
    sandbox.prepare();
    sandbox
}

#[test]
fn one_that_waits_runs_as_a_new_one_does_and_only_once() {
    if is_lambda() {
        return;
    }
    let mut sandbox = warm();
    for (language, code) in [
        (
            "python",
            "import sys, os\nprint(sys.argv[1:], os.environ['A'], open('f').read(), sys.stdin.read())",
        ),
        (
            "js",
            "console.log(process.argv.slice(2), process.env.A, require('fs').readFileSync('f', 'utf8'), require('fs').readFileSync(0, 'utf8'))",
        ),
    ] {
        let mut execution = Execution::of(language, code);
        execution.args = vec!["x".to_owned()];
        execution.env.insert("A".to_owned(), "é".to_owned());
        execution.stdin = "in".to_owned();
        execution.files = vec![File { name: "f".into(), content: "file".into(), encoding: Encoding::Utf8 }];
        for expected in [true, false] {
            let (outcome, trust) = sandbox.run(&execution, &mut |_| {});
            assert_eq!((outcome.isolation.warm, trust), (expected, Trust::Clean), "{outcome:?}");
            assert!(outcome.stdout.contains("'x'") && outcome.stdout.ends_with("é file in\n"), "{outcome:?}");
        }
    }
    sandbox.prepare();
    let (outcome, _) = sandbox.run(&Execution::of("python", "print(1)"), &mut |_| {});
    assert!(outcome.isolation.warm);
}

#[test]
fn one_that_waits_takes_the_limits_of_its_run() {
    if is_lambda() {
        return;
    }
    let code = "import resource as r\nprint(r.getrlimit(r.RLIMIT_FSIZE), r.getrlimit(r.RLIMIT_CPU))";
    let mut execution = Execution::of("python", code);
    execution.limits.disk_bytes = 3 << 20;
    execution.limits.cpu_ms = 1500;
    let mut sandbox = warm();
    let (outcome, _) = sandbox.run(&execution, &mut |_| {});
    assert!(outcome.isolation.warm);
    assert_eq!(outcome.stdout, "(3145728, 3145728) (3, 3)\n");
    let mut busy = Execution::of("python", "while True: pass");
    busy.limits.cpu_ms = 200;
    sandbox.prepare();
    let (outcome, _) = sandbox.run(&busy, &mut |_| {});
    assert_eq!((outcome.isolation.warm, outcome.status), (true, Status::Timeout));
}

#[test]
fn one_that_died_while_it_waited_is_replaced() {
    if is_lambda() {
        return;
    }
    let mut sandbox = warm();
    for cell in sandbox.waiting.values() {
        rustix::process::pidfd_send_signal(&cell.guest.handle, rustix::process::Signal::KILL).unwrap();
    }
    while sandbox
        .waiting
        .values()
        .any(|cell| !crate::run::watch::processes::descendants(cell.guest.leader).is_empty())
    {}
    let (outcome, trust) = sandbox.run(&Execution::of("python", "print(1)"), &mut |_| {});
    assert_eq!((outcome.stdout.as_str(), outcome.isolation.warm, trust), ("1\n", false, Trust::Clean));
}

#[test]
fn none_waits_after_its_sandbox() {
    let sandbox = warm();
    let base = sandbox.settings.base.clone();
    let leaders: Vec<_> = sandbox.waiting.values().map(|cell| cell.guest.leader).collect();
    drop(sandbox);
    assert!(!base.exists());
    for leader in leaders {
        assert!(crate::run::watch::processes::stat(leader.as_raw_nonzero().get()).is_none());
    }
}
