//! The binary as its user meets it when it cannot start, and when it can.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

fn opencode(folder: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opencode"));
    command.env_clear().current_dir(folder).args(["serve", "--listen", "127.0.0.1:0"]);
    command
}

fn refused(output: &Output, says: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains(says), "{said}");
}

#[test]
fn what_cannot_start_ends_with_2_and_one_line() {
    let folder = tempfile::tempdir().unwrap();
    refused(&opencode(folder.path()).arg("--no-model").output().unwrap(), "OPENAI_API_KEY");
    // No folder to keep a model in, and no Python to fetch one with.
    refused(&opencode(folder.path()).output().unwrap(), "--model");
    let home = folder.path();
    refused(&opencode(home).env("HOME", home).env("PATH", "/none").output().unwrap(), "python3-pip");
    refused(&opencode(folder.path()).args(["--config", "absent.toml"]).output().unwrap(), "absent.toml");
    // From here on there is a target.
    let opencode = |folder| {
        let mut command = opencode(folder);
        command.arg("--no-model").env("OLLAMA_HOST", "127.0.0.1");
        command
    };
    refused(&opencode(folder.path()).args(["--data", "/dev/null/x"]).output().unwrap(), "--data");
    refused(&opencode(folder.path()).env("OPENCODE_SECRET", "short").output().unwrap(), "OPENCODE_SECRET");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = opencode(folder.path());
    refused(
        &command.args(["--listen", &address]).env("OLLAMA_HOST", "127.0.0.1").output().unwrap(),
        "--listen",
    );
}

#[test]
fn it_says_where_it_is_and_how_to_ask() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = opencode(folder.path());
    command.arg("--no-model").env("OLLAMA_HOST", "127.0.0.1:9").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    for line in lines {
        said.push(line.unwrap());
        if said.last().is_some_and(|line| line.contains("curl")) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let said = said.join("\n");
    for part in ["http://127.0.0.1:", "ollama", "dev-key"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(folder.path().join(".opencode/dev-key").exists());
}
