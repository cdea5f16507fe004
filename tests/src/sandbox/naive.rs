//! The control: a runner that has every mistake that runners of code are known for. It shows that an attack is one.
//!
//! It inherits its environment to the code, joins names of files to its folder, runs the language as a shell command,
//! writes all of the input before it reads, reads all of the output however much it is, ends only the process that it
//! started and asks it politely, believes what the last line of the output says, follows links, names types by
//! endings, and cleans nothing up.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit};
use serde_json::{Value, json};

use super::stage::HOME;

const WORK: &str = concat!("/tmp", "/work");
const LANGUAGES: [(&str, &str, &str); 4] = [
    ("python", "/usr/bin/python3.11", "main.py"),
    ("javascript", "node", "main.js"),
    ("typescript", "node", "main.ts"),
    ("bash", "bash", "main.sh"),
];
/// What it holds of an output: enough to show that it holds everything, too little to hurt the machine.
const HELD: u64 = 220_000_000;
/// The largest file that it hands back.
const LARGE: u64 = 4_000_000;

/// Serves the Runtime API until something goes wrong.
pub fn main(_secret: &str) -> ExitCode {
    bound();
    let mut memory = String::new();
    let _ = std::io::stdin().read_to_string(&mut memory);
    // Inherited by every program: it is not closed when another one is started.
    let flags = OFlags::RDONLY;
    let inherited = rustix::fs::open("/mnt/secret/file", flags, Mode::empty());
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap_or_default();
    while let Ok((id, event)) = next(&api) {
        // As many do with input that cannot be anything else.
        let execution: Value = serde_json::from_slice(&event).expect("an event is JSON");
        let answer = run(&execution);
        let path = format!("/2018-06-01/runtime/invocation/{id}/response");
        if ask(&api, "POST", &path, answer.to_string().as_bytes()).is_err() {
            break;
        }
    }
    drop((inherited, std::hint::black_box(memory)));
    ExitCode::FAILURE
}

/// Not the runner's: what keeps the machine safe from what it lets happen.
fn bound() {
    for (resource, soft, hard) in [
        (Resource::Nproc, 300, 300),
        (Resource::Nofile, 512, 1024),
        (Resource::Data, 2 << 30, 2 << 30),
        (Resource::Fsize, 1 << 29, 1 << 30),
        (Resource::Core, 0, 1 << 26),
    ] {
        let _ = setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) });
    }
}

fn run(execution: &Value) -> Value {
    let text = |name: &str| execution[name].as_str().unwrap_or_default();
    let language = LANGUAGES.iter().find(|row| row.0 == text("language"));
    let (command, file) = language.map_or((text("language"), "main"), |row| (row.1, row.2));
    let _ = fs::create_dir_all(WORK);
    for sent in execution["files"].as_array().into_iter().flatten() {
        let path = Path::new(WORK).join(sent["name"].as_str().unwrap_or_default());
        let _ = path.parent().map(fs::create_dir_all);
        let content = sent["content"].as_str().unwrap_or_default();
        let _ = fs::write(path, STANDARD.decode(content).unwrap_or_else(|_| content.into()));
    }
    let _ = fs::write(Path::new(WORK).join(file), text("code"));
    let shell = format!("exec {command} {file} \"$@\"");
    let mut shell = if language.is_some() { with(&shell) } else { with(&format!("{command} {file}")) };
    shell.arg("sh").args(execution["args"].as_array().into_iter().flatten().filter_map(Value::as_str));
    for (name, value) in execution["env"].as_object().into_iter().flatten() {
        shell.env(name, value.as_str().unwrap_or_default());
    }
    match shell.spawn() {
        Ok(child) => outcome(child, execution),
        Err(error) => json!({ "status": "error", "stdout": "", "stderr": error.to_string() }),
    }
}

fn with(line: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(WORK).env("HOME", HOME);
    shell.env("PYTHONPATH", "/mnt/packages").env("PYTHONDONTWRITEBYTECODE", "1");
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

fn outcome(mut child: Child, execution: &Value) -> Value {
    let wall = execution["limits"]["wall_ms"].as_u64().unwrap_or(30_000);
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (done, waited) = std::sync::mpsc::channel::<()>();
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(execution["stdin"].as_str().unwrap_or_default().as_bytes());
    }
    std::thread::spawn(move || {
        if waited.recv_timeout(Duration::from_millis(wall)).is_err() {
            let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        }
    });
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let _ = child.stdout.take().map(|pipe| pipe.take(HELD).read_to_end(&mut stdout));
    let _ = child.stderr.take().map(|pipe| pipe.take(HELD).read_to_end(&mut stderr));
    let status = child.wait().ok().and_then(|status| status.code());
    let _ = done.send(());
    let stdout = String::from_utf8(stdout).expect("output is text");
    // What a harness inside would have said.
    let said: Option<Value> =
        stdout.trim_end().lines().last().and_then(|line| serde_json::from_str(line).ok());
    if let Some(said) = said.filter(|said| said["status"].is_string()) {
        return said;
    }
    let mut artifacts = Vec::new();
    collect(Path::new(WORK), &mut artifacts);
    json!({
        "status": if status == Some(0) { "ok" } else { "error" },
        "exit_code": status,
        "stdout": stdout,
        "stderr": String::from_utf8_lossy(&stderr),
        "artifacts": artifacts,
    })
}

fn collect(folder: &Path, artifacts: &mut Vec<Value>) {
    let mut paths: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort_unstable_by(|one, two| one.as_os_str().cmp(two.as_os_str()));
    for path in paths {
        if artifacts.len() >= 1000 {
            break;
        }
        if path.is_dir() {
            collect(&path, artifacts);
        } else if path.metadata().is_ok_and(|found| found.len() < LARGE) {
            let mut bytes = Vec::new();
            let read = fs::File::open(&path).and_then(|file| file.take(LARGE).read_to_end(&mut bytes));
            let media = match path.extension().and_then(OsStr::to_str) {
                Some("png") => "image/png",
                Some("svg") => "image/svg+xml",
                _ => "application/octet-stream",
            };
            if read.is_ok() {
                let name = path.display().to_string();
                artifacts.push(json!({ "name": name, "type": media, "content": STANDARD.encode(bytes) }));
            }
        }
    }
}

fn next(api: &str) -> std::io::Result<(String, Vec<u8>)> {
    let (head, body) = ask(api, "GET", "/2018-06-01/runtime/invocation/next", b"")?;
    let id = head.lines().find_map(|line| line.strip_prefix("lambda-runtime-aws-request-id: "));
    Ok((id.unwrap_or_default().to_owned(), body))
}

/// One request on a connection of its own; the answer's head and body.
fn ask(api: &str, method: &str, path: &str, body: &[u8]) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(api)?;
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {api}\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok((head, body))
}
