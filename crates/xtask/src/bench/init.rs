//! A Runtime API of ours, as much as it takes to see when the Lambda binary asks for work and what its memory is
//! after some.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::http::Connection;
use super::running::peak;
use super::sample::Sample;
use crate::failure::{Doing, Result, failed};
use crate::process;

const RUNS: usize = 20;
/// How many answers memory is looked at after.
const ANSWERS: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(10);

/// From starting the binary to its first `GET …/invocation/next` on a Runtime API of ours.
pub fn to_first_next(binary: &Path) -> Result<Sample> {
    let api = TcpListener::bind("127.0.0.1:0").doing("listen on loopback")?;
    api.set_nonblocking(true).doing("listen on loopback")?;
    let address = api.local_addr().doing("listen on loopback")?.to_string();
    Sample::take(RUNS, || {
        let mut function = function(binary, &address);
        let start = Instant::now();
        let mut child = function.spawn().doing("start the Lambda binary")?;
        let asked = first_next(&api, &mut child, start);
        child.kill().and_then(|()| child.wait()).doing("end the Lambda binary")?;
        // Its connection lives until here: closed under it, it would complain.
        asked.map(|(elapsed, _)| elapsed)
    })
}

/// Memory before and after answers, in bytes.
pub struct Served {
    /// The most until the first `/next`.
    pub first: u64,
    /// The most after [`Served::answers`].
    pub last: u64,
    /// How many there were.
    pub answers: u64,
}

/// Lets the binary answer `GET /health` again and again: what is looked at is the runtime, not upstreams or tables.
pub fn memory_after_answers(binary: &Path) -> Result<Served> {
    let api = TcpListener::bind("127.0.0.1:0").doing("listen on loopback")?;
    let address = api.local_addr().doing("listen on loopback")?.to_string();
    let mut child = function(binary, &address).spawn().doing("start the Lambda binary")?;
    let served = serve(&api, child.id());
    child.kill().and_then(|()| child.wait()).doing("end the Lambda binary")?;
    served
}

/// Its client keeps one connection for `/next` and another for responses, or one for both: each has a thread here.
fn serve(api: &TcpListener, process: u32) -> Result<Served> {
    let (asked, next) = mpsc::channel();
    let api = api.try_clone().doing("share a listener")?;
    thread::spawn(move || {
        for stream in api.incoming().flatten() {
            let asked = asked.clone();
            thread::spawn(move || speak(stream, &asked).ok());
        }
    });
    let mut first = None;
    for _ in 0..=ANSWERS {
        match next.recv_timeout(PATIENCE) {
            Ok(line) if line.contains("/invocation/next") => {}
            Ok(line) => return failed(format!("the Lambda binary could not answer: {line}")),
            Err(_) => return failed("the Lambda binary did not ask for more work within 10 s"),
        }
        first = first.or_else(|| peak(process));
    }
    Ok(Served { first: first.unwrap_or_default(), last: peak(process).unwrap_or_default(), answers: ANSWERS })
}

/// Each `GET …/next` gets an event and each response is accepted; what else is asked for is told too, as an error.
fn speak(stream: TcpStream, asked: &mpsc::Sender<String>) -> Result<()> {
    let mut connection = Connection::new(stream)?;
    let event = event();
    loop {
        let (line, _) = connection.read(|_| ())?;
        if line.contains("/response ") {
            connection.write("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")?;
            continue;
        }
        let _ = asked.send(line);
        connection.write(&format!(
            "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: bench\r\nlambda-runtime-deadline-ms: 9999999999999\r\n\
             lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:0:function:bench\r\n\
             lambda-runtime-trace-id: Root=1-0-0\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{event}",
            event.len()
        ))?;
    }
}

/// A Function URL's event (payload format 2.0).
fn event() -> String {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/health", "rawQueryString": "",
        "headers": {"host": "bench"}, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "anonymous", "apiId": "bench", "domainName": "bench", "domainPrefix": "bench",
            "http": {"method": "GET", "path": "/health", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "bench"},
            "requestId": "bench", "routeKey": "$default", "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_u64,
        },
    })
    .to_string()
}

/// The floor: starting and ending a program that does nothing.
pub fn to_nothing() -> Result<Sample> {
    Sample::take(RUNS, || {
        let start = Instant::now();
        process::run(&mut Command::new("true"))?;
        Ok(start.elapsed())
    })
}

fn function(binary: &Path, api: &str) -> Command {
    let mut function = process::program(binary);
    let settings = [
        ("AWS_LAMBDA_RUNTIME_API", api),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "bench"),
        ("AWS_SECRET_ACCESS_KEY", "bench"),
        ("OPENCODE_FUNCTION", "http"),
        ("OPENCODE_TABLE", "bench"),
        ("OPENCODE_QUEUE_URL", "http://127.0.0.1:9/bench"),
        ("OPENCODE_SECRET", "only-for-measuring-only-for-measuring"),
    ];
    function.envs(settings).stdin(Stdio::null()).stdout(Stdio::null());
    function
}

fn first_next(
    api: &TcpListener,
    child: &mut Child,
    start: Instant,
) -> Result<(Duration, BufReader<TcpStream>)> {
    while start.elapsed() < PATIENCE {
        match api.accept() {
            Ok((stream, _)) => {
                let (line, stream) = request_line(stream)?;
                let elapsed = start.elapsed();
                return if line.contains("/invocation/next") {
                    Ok((elapsed, stream))
                } else {
                    failed(format!("it asked for {line}"))
                };
            }
            Err(_) => thread::sleep(Duration::from_micros(100)),
        }
        if let Some(status) = child.try_wait().doing("watch the Lambda binary")? {
            return failed(format!("the Lambda binary ended before it asked for work ({status})"));
        }
    }
    failed("the Lambda binary did not ask for work within 10 s")
}

fn request_line(stream: TcpStream) -> Result<(String, BufReader<TcpStream>)> {
    let doing = "read what the Lambda binary asks for";
    stream.set_nonblocking(false).doing(doing)?;
    stream.set_read_timeout(Some(PATIENCE)).doing(doing)?;
    let mut line = String::new();
    let mut stream = BufReader::new(stream);
    stream.read_line(&mut line).doing(doing)?;
    Ok((line.trim_end().to_owned(), stream))
}
