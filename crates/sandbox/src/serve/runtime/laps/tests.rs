//! The loop against a Runtime API that plays a script over TCP, as Lambda's own is reached.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use opencode_core::sandbox::seal;

use super::*;
use crate::serve::outcome::tests::isolation;
use crate::serve::runtime::Address;

/// One request as it came: its start line, its headers, its body with trailers as they were sent.
struct Asked {
    start: String,
    headers: String,
    body: String,
}

/// Answers each request with the next of these, and gives what was asked.
fn api(answers: Vec<String>) -> (Api, JoinHandle<Vec<Asked>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::parse(&listener.local_addr().unwrap().to_string());
    let played = std::thread::spawn(move || {
        answers.into_iter().map(|answer| play(listener.accept().unwrap().0, &answer)).collect()
    });
    (Api::new(address, String::new()), played)
}

fn play(mut stream: TcpStream, answer: &str) -> Asked {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line
    };
    let start = line();
    let mut headers = String::new();
    loop {
        match line() {
            end if end == "\r\n" => break,
            header => headers += &header.to_lowercase(),
        }
    }
    let mut body = String::new();
    if let Some(length) = headers.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        let mut bytes = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut bytes).unwrap();
        body = String::from_utf8(bytes).unwrap();
    } else {
        while !body.ends_with("0\r\n\r\n") {
            let mut more = String::new();
            reader.read_line(&mut more).unwrap();
            body += &more;
        }
    }
    stream.write_all(answer.as_bytes()).unwrap();
    Asked { start, headers, body }
}

fn event(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// As Lambda sends a large one.
fn chunked(body: &str) -> String {
    let (one, two) = body.split_at(7);
    format!(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-1\r\nTransfer-Encoding: chunked\r\n\r\n\
         7\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\n\r\n",
        two.len()
    )
}

fn status(status: u16) -> String {
    format!("HTTP/1.1 {status} -\r\ncontent-length: 0\r\n\r\n")
}

struct Fake {
    isolation: Isolation,
    trust: Trust,
    walls: Vec<u64>,
}

impl Engine for Fake {
    fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    fn prepare(&mut self) {}

    fn run(&mut self, execution: &Execution, sink: &mut dyn FnMut(Line)) -> (Outcome, Trust) {
        self.walls.push(execution.limits.wall_ms);
        sink(line_of("started", None, None));
        sink(line_of("stdout", Some("ø".repeat(3)), None));
        let outcome = without_run(Status::Ok, "", &self.isolation);
        (Outcome { stdout: "ø".repeat(3), ..outcome }, self.trust)
    }
}

fn served(answers: Vec<String>, trust: Trust, change: impl FnOnce(&mut Rules)) -> (End, Vec<Asked>, Fake) {
    let (api, played) = api(answers);
    let mut engine = Fake { isolation: isolation(), trust, walls: Vec::new() };
    let mut rules = Rules {
        seal: None,
        recycle: false,
        answer_bytes: 100_000,
        scratch: Vec::new(),
        folder: PathBuf::from("/"),
        nondumpable: true,
    };
    change(&mut rules);
    let end = serve(&api, &mut engine, &rules);
    (end, played.join().unwrap(), engine)
}

const WHOLE: &str = r#"{"version":1,"language":"bash","code":"x","whole":true}"#;
const LINES: &str = r#"{"version":1,"language":"bash","code":"x","nonce":"n"}"#;

#[test]
fn events_are_answered_until_the_runtime_api_is_gone() {
    let answers = vec![event(WHOLE), status(202), chunked(WHOLE), status(202)];
    let (end, asked, _) = served(answers, Trust::Clean, |_| {});
    assert_eq!(end, End::Lost);
    let starts: Vec<_> = asked.iter().map(|asked| asked.start.trim_end()).collect();
    let next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1";
    let answer = "POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1";
    assert_eq!(starts, [next, answer, next, answer]);
    let outcome: Outcome = serde_json::from_str(&asked[1].body).unwrap();
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Status::Ok, "øøø"));
    assert!(outcome.isolation.nondumpable && !outcome.isolation.recycled);
}

#[test]
fn lines_are_streamed_with_their_seal() {
    let key = |rules: &mut Rules| rules.seal = Some("key".to_owned());
    let (_, asked, _) = served(vec![event(LINES), status(202)], Trust::Clean, key);
    assert!(asked[1].headers.contains("lambda-runtime-function-response-mode: streaming"));
    assert!(asked[1].headers.contains("transfer-encoding: chunked"));
    let lines: Vec<&str> = asked[1].body.lines().filter(|line| line.starts_with('{')).collect();
    let read: Vec<Line> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = read.iter().map(|line| line.kind.as_str()).collect();
    assert_eq!(kinds, ["started", "stdout", "outcome", "seal"]);
    let sealed: String = lines[..3].iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(read[3].text.as_deref(), Some(seal("key", "n", sealed.as_bytes()).as_str()));
    assert_eq!(read[2].outcome.as_ref().unwrap().stdout, "");
}

#[test]
fn an_answer_that_is_refused_ends_the_environment() {
    for (event, refusal) in [(event(WHOLE), 400), (event(WHOLE), 403), (event(LINES), 413)] {
        let (end, asked, _) = served(vec![event, status(refusal)], Trust::Clean, |_| {});
        assert_eq!((end, asked.len()), (End::Refused, 2));
    }
}

type Change<'a> = &'a dyn Fn(&mut Rules);

#[test]
fn doubt_is_answered_and_then_ends_the_environment() {
    let left = tempfile::tempdir().unwrap();
    std::fs::write(left.path().join("left"), "").unwrap();
    let full = |rules: &mut Rules| rules.scratch.push(left.path().to_owned());
    let every = |rules: &mut Rules| rules.recycle = true;
    let cases: [(Trust, Change<'_>); 3] =
        [(Trust::Recycle, &|_| {}), (Trust::Clean, &every), (Trust::Clean, &full)];
    for (trust, change) in cases {
        let (end, asked, _) = served(vec![event(WHOLE), status(202)], trust, change);
        let outcome: Outcome = serde_json::from_str(&asked[1].body).unwrap();
        assert_eq!((end, outcome.isolation.recycled), (End::Recycled, true));
    }
}

#[test]
fn what_is_no_execution_is_refused_and_nothing_runs() {
    for body in ["nonsense", r#"{"version":1,"language":"cobol","code":""}"#] {
        let (_, asked, engine) = served(vec![event(body), status(202)], Trust::Clean, |_| {});
        assert!(asked[1].start.starts_with("POST /2018-06-01/runtime/invocation/id-1/error "));
        assert!(asked[1].headers.contains("lambda-runtime-function-error-type: execution.invalid"));
        assert!(asked[1].body.contains("errorMessage") && engine.walls.is_empty(), "{}", asked[1].body);
    }
}

#[test]
fn a_run_ends_before_its_environment_does() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let deadline = format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Deadline-Ms: {}\r\n", now + 7_000);
    let event = event(WHOLE).replace("HTTP/1.1 200 OK\r\n", &deadline);
    let (_, _, engine) = served(vec![event, status(202)], Trust::Clean, |_| {});
    assert!((1..=5_000).contains(&engine.walls[0]), "{:?}", engine.walls);
}

#[test]
fn what_is_no_http_ends_the_environment() {
    let huge = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: i\r\ncontent-length: 999999999\r\n\r\n";
    let id = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: ../x\r\ncontent-length: 0\r\n\r\n";
    for answer in ["SSH-2.0\r\n\r\n", huge, id, "HTTP/1.1 500 -\r\ncontent-length: 0\r\n\r\n", ""] {
        assert_eq!(served(vec![answer.to_owned()], Trust::Clean, |_| {}).0, End::Lost, "{answer}");
    }
}
