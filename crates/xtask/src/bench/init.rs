//! How long the Lambda binary takes from its start to its first request for work.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Sample;
use crate::failure::{Doing, Result, failed};
use crate::process;

const RUNS: usize = 20;
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
        asked
    })
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

fn first_next(api: &TcpListener, child: &mut Child, start: Instant) -> Result<Duration> {
    while start.elapsed() < PATIENCE {
        match api.accept() {
            Ok((stream, _)) => {
                let line = request_line(stream)?;
                let elapsed = start.elapsed();
                return if line.contains("/invocation/next") {
                    Ok(elapsed)
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

fn request_line(stream: TcpStream) -> Result<String> {
    let doing = "read what the Lambda binary asks for";
    stream.set_nonblocking(false).doing(doing)?;
    stream.set_read_timeout(Some(PATIENCE)).doing(doing)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).doing(doing)?;
    Ok(line.trim_end().to_owned())
}
