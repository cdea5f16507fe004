//! The local stand-in for Lambda, as its callers see it.

mod client;
mod engine;
mod scripted;

use std::time::Duration;

use opencode_core::sandbox::{Execution, Outcome, Status};
use opencode_sandbox::serve::local::Options;

use client::{Invoke, Local};

/// With environments whose engine is [`scripted`].
fn options() -> Options {
    let mut options = Options::new(scripted::ARGUMENTS.map(Into::into).to_vec());
    options.program = Some(std::env::current_exe().unwrap());
    options
}

fn local(change: impl FnOnce(&mut Options)) -> Local {
    let mut options = options();
    change(&mut options);
    Local::start(options).unwrap()
}

/// Which process ran it, and its how manieth run it was.
fn process(outcome: &Outcome) -> (String, u32) {
    assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
    let mut words = outcome.stdout.split(' ').rev();
    let runs = words.next().unwrap().parse().unwrap();
    (words.next().unwrap().to_owned(), runs)
}

#[test]
fn an_environment_serves_one_tenant_again_and_again() {
    let local = local(|_| {});
    let first = process(&local.run("a", "x"));
    let other = process(&local.run("b", "x"));
    assert_ne!(first.0, other.0);
    assert_eq!((first.1, other.1), (1, 1));
    assert_eq!(process(&local.run("a", "y")), (first.0, 2));
    assert_eq!(process(&local.run("b", "y")), (other.0, 2));
}

#[test]
fn room_is_made_by_ending_the_environment_that_was_idle_for_longest() {
    let local = local(|options| options.environments = 2);
    let a = process(&local.run("a", "x")).0;
    let b = process(&local.run("b", "x")).0;
    assert_eq!(process(&local.run("a", "x")).0, a);
    process(&local.run("c", "x"));
    assert_eq!(process(&local.run("a", "x")), (a, 3));
    let again = process(&local.run("b", "x"));
    assert!(again.0 != b && again.1 == 1, "{again:?}");
}

#[test]
fn an_environment_without_anything_to_do_ends() {
    let local = local(|options| options.idle = Duration::from_millis(50));
    let first = process(&local.run("a", "x")).0;
    let ended = || !std::path::Path::new(&format!("/proc/{first}")).exists();
    for _ in 0..2_000 {
        if ended() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(ended());
    assert_eq!(process(&local.run("a", "x")).1, 1);
}

#[test]
fn what_says_that_it_cannot_be_trusted_is_replaced() {
    let local = local(|_| {});
    let first = local.run("a", "recycle");
    assert!(first.isolation.recycled);
    let second = local.run("a", "x");
    assert!(process(&first).0 != process(&second).0 && process(&second).1 == 1);
    assert!(!second.isolation.recycled);
}

#[test]
fn where_tenants_cannot_be_kept_apart_every_run_has_an_environment_of_its_own() {
    let local = local(|options| options.recycle = true);
    for _ in 0..3 {
        let outcome = local.run("a", "x");
        assert!(outcome.isolation.recycled && process(&outcome).1 == 1);
    }
}

#[test]
fn a_dead_environment_is_an_outcome_and_the_next_run_is_clean() {
    let local = local(|_| {});
    for _ in 0..2 {
        let lost = local.run("a", "die");
        assert_eq!(lost.status, Status::SandboxLost, "{lost:?}");
        assert!(lost.message.unwrap().contains("is lost"));
        assert_eq!(process(&local.run("a", "x")).1, 1);
    }
    let (lines, complete) = local.stream("a", &Execution::of("bash", "die"));
    let last = lines.last().unwrap();
    assert_eq!((last.kind.as_str(), complete.as_str()), ("outcome", "{}"));
    assert_eq!(last.outcome.as_ref().unwrap().status, Status::SandboxLost);
}

#[test]
fn an_environment_that_does_not_answer_in_time_is_lost() {
    let local = local(|options| options.longest = Duration::ZERO);
    let lost = local.run("a", "hang");
    assert_eq!(lost.status, Status::SandboxLost, "{lost:?}");
    assert!(lost.message.unwrap().contains("in time"));
}

#[test]
fn an_answer_in_the_sandboxs_place_is_seen_and_its_environment_ends() {
    let local = local(|_| {});
    for _ in 0..2 {
        let outcome = local.execute("a", &Execution { whole: true, ..Execution::of("bash", "forge") });
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Status::Poisoned, ""), "{outcome:?}");
        assert_eq!(process(&local.run("a", "x")).1, 1);
    }
    // A streamed answer has begun before the code has: there is nothing left to take.
    let (lines, _) = local.stream("a", &Execution::of("bash", "forge"));
    assert_eq!(lines[1].text.as_deref(), Some("No(403)"));
    assert_eq!(lines[2].outcome.as_ref().unwrap().status, Status::Ok);
}

#[test]
fn the_runtime_api_takes_nothing_else_from_the_code() {
    let local = local(|_| {});
    assert_eq!(local.run("a", "other id").stdout, "No(400)");
    assert_eq!(local.run("a", "init error").stdout, "No(403)");
}

#[test]
fn lines_come_with_what_they_are_part_of() {
    let local = local(|_| {});
    let whole = local.execute("a", &Execution { whole: true, ..Execution::of("bash", "x") });
    assert_eq!(process(&whole).1, 1);
    assert_eq!(process(&local.run("a", "x")).1, 2);
    let (lines, complete) = local.stream("a", &Execution::of("bash", "x"));
    let kinds: Vec<_> = lines.iter().map(|line| line.kind.as_str()).collect();
    assert_eq!((kinds, complete.as_str()), (vec!["started", "stdout", "outcome"], "{}"));
    let outcome = lines[2].outcome.as_ref().unwrap();
    assert!(outcome.status == Status::Ok && outcome.stdout.is_empty());
}

#[test]
fn an_event_that_is_no_execution_is_the_functions_error() {
    let local = local(|_| {});
    for (body, says) in
        [(&b"nonsense"[..], "no execution"), (br#"{"version":9,"language":"bash","code":""}"#, "version")]
    {
        let answer = Invoke::new(&local, "a", body).send();
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("x-amz-function-error: unhandled"), "{}", answer.head);
        assert!(String::from_utf8_lossy(&answer.body).contains(says), "{answer:?}");
    }
    assert_eq!(process(&local.run("a", "x")).1, 1);
}

#[test]
fn only_who_knows_the_secret_runs_anything() {
    let local = local(|_| {});
    let body = serde_json::to_vec(&Execution::of("bash", "x")).unwrap();
    let asked = |change: &dyn Fn(&mut Invoke)| {
        let mut invoke = Invoke::new(&local, "a", &body);
        change(&mut invoke);
        let answer = invoke.send();
        let kind = answer.head.lines().find_map(|line| line.strip_prefix("x-amzn-errortype: "));
        (answer.status, kind.unwrap_or_default().to_owned())
    };
    assert_eq!(asked(&|_| {}).0, 200);
    let refused = |status: u16, kind: &str| (status, kind.to_lowercase());
    let signature = refused(403, "InvalidSignatureException");
    assert_eq!(asked(&|invoke| invoke.secret.push('x')), signature);
    assert_eq!(asked(&|invoke| invoke.region = "eu-west-1".to_owned()), signature);
    assert_eq!(asked(&|invoke| invoke.now.0 -= 400_000), signature);
    assert_eq!(asked(&|invoke| invoke.now.0 += 400_000), signature);
    assert_eq!(
        asked(&|invoke| {
            invoke.tenant = None;
            invoke.unsigned = "x-amz-tenant-id: b\r\n".to_owned();
        }),
        signature
    );
    assert_eq!(asked(&|invoke| invoke.unsigned = "x-amz-tenant-id: b\r\n".to_owned()), signature);
    let stranger = refused(403, "MissingAuthenticationTokenException");
    assert_eq!(asked(&|invoke| invoke.id = "AKIDEXAMPLE".to_owned()), stranger);
    let host = refused(403, "AccessDeniedException");
    assert_eq!(asked(&|invoke| invoke.host = "evil.example".to_owned()), host);
    assert_eq!(asked(&|invoke| invoke.host = invoke.host.replace("127.0.0.1", "localhost")), host);
    let unknown = refused(404, "ResourceNotFoundException");
    assert_eq!(asked(&|invoke| invoke.path = invoke.path.replace("opencode", "other")), unknown);
    let operation = refused(404, "UnknownOperationException");
    assert_eq!(asked(&|invoke| invoke.path = "/2015-03-31/functions".to_owned()), operation);
    let tenant = refused(400, "InvalidParameterValueException");
    assert_eq!(asked(&|invoke| invoke.tenant = None), tenant);
    assert_eq!(asked(&|invoke| invoke.tenant = Some("a;b".to_owned())), tenant);
    assert_eq!(asked(&|invoke| invoke.body = vec![b' '; 65 << 20]), refused(413, "RequestTooLargeException"));
}

#[test]
fn as_many_wait_as_may_and_the_next_is_told() {
    let folder = tempfile::tempdir().unwrap();
    // Environments of another user look here and write here.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let gate = folder.path().join("gate");
    let local = local(|options| (options.environments, options.waiters) = (1, 1));
    let busy = Execution { args: vec![gate.display().to_string()], ..Execution::of("bash", "wait") };
    let body = serde_json::to_vec(&Execution::of("bash", "x")).unwrap();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| local.execute("a", &busy));
        while !gate.with_extension("running").exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
        // One of these waits, the other is refused at once.
        let invoke = || Invoke::new(&local, "b", &body).send();
        let others = [scope.spawn(invoke), scope.spawn(invoke)];
        while !others.iter().any(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::fs::write(&gate, "").unwrap();
        assert_eq!(first.join().unwrap().status, Status::Ok);
        let mut statuses = others.map(|other| other.join().unwrap().status);
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 429]);
    });
    assert_eq!(local.run("b", "x").status, Status::Ok);
}

#[test]
fn why_there_is_no_sandbox_is_said() {
    let mut refusing = options();
    refusing.variables.insert("SCRIPT_REFUSES".into(), "1".into());
    assert_eq!(Local::start(refusing).err().as_deref(), Some("no barriers"));
    let mut dying = options();
    dying.arguments = vec!["--no-such-option".into()];
    assert_eq!(Local::start(dying).err().as_deref(), Some("it has ended"));
    let mut open = options();
    open.listen = "0.0.0.0:0".parse().unwrap();
    assert!(Local::start(open).err().unwrap().contains("loopback"));
}
