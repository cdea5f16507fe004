//! The same tests as other users, and in the other profile.

use std::os::unix::process::CommandExt;
use std::process::Command;

use opencode_core::sandbox::{Execution, Profile, Status};

use super::{is_lambda, sandbox, settings};
use crate::run::barriers::{Barriers, namespaces::Namespaces};
use crate::run::watch::processes;
use crate::run::{Sandbox, Trust};

#[test]
fn what_protects_a_run_is_told() {
    let isolation = sandbox().isolation().clone();
    if is_lambda() {
        assert_eq!(
            (isolation.profile, isolation.seccomp, isolation.landlock_abi),
            (Profile::Lambda, false, 0)
        );
        return;
    }
    let full = (isolation.profile, isolation.seccomp, isolation.no_new_privs, isolation.nondumpable);
    assert_eq!(full, (Profile::Full, true, true, true));
    assert!(isolation.landlock_abi >= 1);
    assert_eq!(isolation.separate_user, rustix::process::geteuid().is_root());
}

/// As in a container that may make no namespaces.
#[test]
fn without_namespaces_everything_still_ends() {
    let mut sandbox = sandbox();
    let Barriers::Full(full) = &mut sandbox.barriers else { return };
    if full.identity.is_none() && full.landlock < 6 {
        return eprintln!("not run: signals would reach us");
    }
    (full.namespaces, full.shared) = (Namespaces::NONE, None);
    for (code, status) in [
        ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", Status::Timeout),
        (
            "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    \
             os._exit(0)\nos.wait()\nprint('done')",
            Status::Ok,
        ),
        ("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)", Status::Error),
        ("import os\nos.kill(os.getpid(), 9)", Status::Killed),
    ] {
        let mut execution = Execution::of("python", code);
        execution.limits.wall_ms = 1000;
        let (outcome, trust) = sandbox.run(&execution, &mut |_| {});
        assert_eq!((outcome.status, trust), (status, Trust::Clean), "{outcome:?}");
    }
    let of_runs = |pid| {
        std::fs::read_link(format!("/proc/{pid}/cwd"))
            .is_ok_and(|cwd| cwd.starts_with(&sandbox.settings.base))
    };
    assert_eq!(processes::all().filter(|pid| of_runs(*pid)).count(), 0);
}

#[test]
fn the_lambda_profile_is_refused_where_others_could_be_hit() {
    if is_lambda() {
        return;
    }
    let mut settings = settings();
    settings.profile = Some(Profile::Lambda);
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let refused = Sandbox::new(settings).err();
    other.kill().and_then(|()| other.wait()).unwrap();
    let refused = refused.unwrap();
    assert!(refused.0.contains("is not safe here"), "{refused}");
}

/// All the tests again as a user without any power.
#[test]
fn it_holds_without_root() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("not run: this is no root already");
    }
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests.args(["run::tests::", "--skip", "profiles::it_holds", "--test-threads=2"]);
    tests.uid(65_534).gid(65_534).current_dir("/").env("PATH", "/usr/local/bin:/usr/bin:/bin");
    passes(tests);
}

/// All the tests again in the lambda profile: as a user of its own, in a process namespace of its own, since that
/// profile ends every process that it can reach.
#[test]
fn it_holds_as_on_lambda() {
    if !rustix::process::geteuid().is_root() || is_lambda() {
        return eprintln!("not run: only root can make the place for it");
    }
    let base = super::folder();
    std::os::unix::fs::chown(base.path(), Some(64_993), Some(64_993)).unwrap();
    let mut tests = Command::new("unshare");
    tests.args(["--pid", "--fork", "--mount-proc", "--kill-child", "--setgid", "64993", "--setuid", "64993"]);
    tests.arg(std::env::current_exe().unwrap());
    tests.args(["run::tests::", "--skip", "profiles::it_holds", "--test-threads=1"]);
    tests.env("OPENCODE_SANDBOX_TEST_PROFILE", "lambda").env("TMPDIR", base.path()).current_dir("/");
    passes(tests);
}

fn passes(mut tests: Command) {
    let done = tests.output().unwrap();
    assert!(
        done.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}
