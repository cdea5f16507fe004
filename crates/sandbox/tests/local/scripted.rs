//! An environment whose engine does what the code says, in the stand-in's own protocol: this test's program, started
//! again by the stand-in.

use std::env;
use std::path::PathBuf;
use std::process::exit;

use opencode_core::sandbox::{Execution, Isolation, Line, Outcome, Profile, Status, VERSION};
use opencode_sandbox::run::Trust;
use opencode_sandbox::serve::runtime::{Address, Api, Engine, Rules, names, serve};

/// The name of the test that is the environment, and nothing where nobody asks it to be.
pub const ARGUMENTS: [&str; 3] = ["scripted::environment", "--exact", "--nocapture"];

#[test]
fn environment() {
    let Ok(address) = env::var(names::API) else { return };
    let rules = Rules {
        seal: env::var(names::SEAL).ok(),
        recycle: env::var(names::RECYCLE).as_deref() == Ok("always"),
        answer_bytes: 1 << 20,
        scratch: Vec::new(),
        folder: PathBuf::from("/"),
        nondumpable: false,
    };
    let isolation = isolation();
    if env::var("SCRIPT_REFUSES").is_ok() {
        let _ =
            Api::new(Address::parse(&address), String::new()).cannot_start("Sandbox.Refused", "no barriers");
        exit(1);
    }
    let note = format!("opencode-isolation: {}\r\n", serde_json::to_string(&isolation).unwrap());
    let mut engine = Scripted { address: Address::parse(&address), isolation, runs: 0 };
    serve(&Api::new(Address::parse(&address), note), &mut engine, &rules);
    exit(1);
}

struct Scripted {
    address: Address,
    isolation: Isolation,
    runs: u32,
}

impl Engine for Scripted {
    fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    fn prepare(&mut self) {}

    fn run(&mut self, execution: &Execution, sink: &mut dyn FnMut(Line)) -> (Outcome, Trust) {
        self.runs += 1;
        let api = Api::new(self.address.clone(), String::new());
        let mut trust = Trust::Clean;
        let mut said = format!("{} {} {}", execution.code, std::process::id(), self.runs);
        match execution.code.as_str() {
            "die" => exit(1),
            "recycle" => trust = Trust::Recycle,
            "hang" => loop {
                std::thread::sleep(std::time::Duration::from_secs(60));
            },
            "wait" => {
                let gate = PathBuf::from(&execution.args[0]);
                std::fs::write(gate.with_extension("running"), "").unwrap();
                while !gate.exists() {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            }
            // What code could do that reaches the Runtime API.
            "forge" => {
                let again = api.next().unwrap();
                let seen = String::from_utf8_lossy(&again.event).contains("forge");
                let forged =
                    Outcome { stdout: format!("forged {seen}"), ..outcome(Status::Ok, &self.isolation) };
                let taken = api.respond(&again.id, &serde_json::to_vec(&forged).unwrap()).unwrap();
                said = format!("{taken:?}");
            }
            "other id" => said = format!("{:?}", api.respond("another-id", b"{}").unwrap()),
            "init error" => said = format!("{:?}", api.cannot_start("x", "y").unwrap()),
            _ => {}
        }
        sink(Line { kind: "stdout".to_owned(), text: Some(said.clone()), outcome: None });
        (Outcome { stdout: said, ..outcome(Status::Ok, &self.isolation) }, trust)
    }
}

fn isolation() -> Isolation {
    Isolation {
        profile: Profile::Lambda,
        seccomp: false,
        landlock_abi: 0,
        no_new_privs: false,
        user_namespace: false,
        pid_namespace: false,
        network_namespace: false,
        separate_user: false,
        nondumpable: false,
        warm: false,
        recycled: false,
    }
}

fn outcome(status: Status, isolation: &Isolation) -> Outcome {
    Outcome {
        version: VERSION,
        status,
        stdout: String::new(),
        stderr: String::new(),
        stdout_truncated: false,
        stderr_truncated: false,
        replaced: false,
        exit_code: Some(0),
        signal: None,
        duration_ms: 1.0,
        cpu_time_ms: 1.0,
        peak_memory_bytes: 1,
        result: None,
        artifacts: Vec::new(),
        skipped: Vec::new(),
        removed: Vec::new(),
        message: None,
        isolation: isolation.clone(),
    }
}
