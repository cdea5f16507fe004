//! What the gateway adds to an answer whose upstream answers at once.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::http::{Connection, upstream};
use super::{Sample, ms};
use crate::failure::{Doing, Result, failed};
use crate::{process, workspace};

const WARM_UP: usize = 50;
const RUNS: usize = 300;
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER: &str = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;
const QUESTION: &str = r#"{"model":"bench/m","messages":[{"role":"user","content":"Say hello."}]}"#;

/// The same question, asked directly and through the gateway.
pub struct Latency {
    direct: Sample,
    through: Sample,
}

impl Latency {
    /// A row of the table.
    pub fn row(&self) -> String {
        let (direct, through) = (self.direct.median(), self.through.median());
        let ratio = through.as_secs_f64() / direct.as_secs_f64().max(f64::MIN_POSITIVE);
        format!(
            "| native, one answer: median | {} | directly: {}, ratio {ratio:.1} |",
            ms(through),
            ms(direct)
        )
    }
}

/// Starts the native binary in front of an upstream on loopback and asks both, one question after the other.
pub fn measure(native: &Path) -> Result<Latency> {
    let upstream = upstream(ANSWER)?;
    let gateway = Gateway::start(native, &upstream)?;
    let mut direct = Connection::to(&upstream)?;
    let mut through = Connection::to(&gateway.address)?;
    let direct = asked(&mut direct, &request(&upstream, ""))?;
    let through = asked(&mut through, &request(&gateway.address, &gateway.key))?;
    Ok(Latency { direct, through })
}

fn asked(connection: &mut Connection, request: &str) -> Result<Sample> {
    for _ in 0..WARM_UP {
        connection.exchange(request)?;
    }
    Sample::take(RUNS, || {
        let start = Instant::now();
        connection.exchange(request)?;
        Ok(start.elapsed())
    })
}

fn request(host: &str, key: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{QUESTION}",
        QUESTION.len()
    )
}

/// The native binary with a data folder of its own; ends with this value.
struct Gateway {
    child: Child,
    address: String,
    key: String,
}

impl Gateway {
    fn start(native: &Path, upstream: &str) -> Result<Self> {
        let data = workspace::target().join("bench-data");
        if data.exists() {
            fs::remove_dir_all(&data).doing("clear the last measurement's data")?;
        }
        let address = free_address()?;
        let row =
            format!("[[targets]]\nname = \"bench\"\nbase_url = \"http://{upstream}/v1\"\nmodel = \"m\"\n");
        let mut serve = process::program(native);
        serve.args(["serve", "--listen", &address, "--data"]).arg(&data);
        serve.env("OPENCODE_CONFIG", row).env("RUST_LOG", "error");
        serve.stdin(Stdio::null()).stdout(Stdio::null());
        let child = serve.spawn().doing("start the native binary")?;
        let mut gateway = Self { child, address, key: String::new() };
        gateway.wait_until_it_listens()?;
        gateway.key =
            fs::read_to_string(data.join("dev-key")).doing("read the development key")?.trim().to_owned();
        Ok(gateway)
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if Connection::to(&self.address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().doing("watch the native binary")? {
                return failed(format!("the native binary ended before it listened ({status})"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        failed("the native binary did not listen within 10 s")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It is ours and holds nothing worth keeping; that it may have ended already is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").doing("find a free port")?;
    Ok(listener.local_addr().doing("find a free port")?.to_string())
}
