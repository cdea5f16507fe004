//! As much HTTP/1.1 as measuring one request at a time takes, on a connection that stays open.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::contestant::Ask;
use crate::failure::{Doing, Result, failed};

/// The longest body that is read, in bytes.
const LONGEST: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether a GET of that path is answered with 200.
pub fn is_up(address: &str, path: &str) -> bool {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    Connection::to(address).and_then(|mut connection| connection.exchange(&request, |_| false)).is_ok()
}

/// An address on loopback that nobody listens on.
pub fn free_address() -> Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").doing("find a free port")?;
    Ok(listener.local_addr().doing("find a free port")?.to_string())
}

/// One side of an open connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// An answer with status 200.
pub struct Answer {
    /// Its whole body.
    pub body: String,
    /// From sending the request to the part of the body that was waited for.
    pub seen: Option<Duration>,
}

impl Connection {
    /// Connects as a client.
    pub fn to(address: &str) -> Result<Self> {
        Self::new(TcpStream::connect(address).doing(format!("connect to {address}"))?)
    }

    /// Takes a connection over.
    pub fn new(stream: TcpStream) -> Result<Self> {
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
            .doing("set up a connection")?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks, and notes when the body so far is the first for which `seen` is true.
    pub fn ask(&mut self, ask: &Ask, seen: impl Fn(&[u8]) -> bool) -> Result<Answer> {
        self.exchange(&ask.request(), seen)
    }

    /// Sends a request and reads its answer to the end; any status but 200 is an error.
    pub fn exchange(&mut self, request: &str, seen: impl Fn(&[u8]) -> bool) -> Result<Answer> {
        let start = Instant::now();
        self.write(request)?;
        let mut first = None;
        let (status, body) = self.read(|body| {
            if first.is_none() && seen(body) {
                first = Some(start.elapsed());
            }
        })?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if status.contains(" 200 ") {
            return Ok(Answer { body, seen: first });
        }
        let shown: String = body.chars().take(300).collect();
        failed(format!("the answer was {status}: {shown}"))
    }

    /// Sends text.
    pub fn write(&mut self, text: &str) -> Result<()> {
        self.stream.get_mut().write_all(text.as_bytes()).doing("send a message")
    }

    /// Reads a message: its first line and its body, shown after each part of it.
    pub fn read(&mut self, mut part: impl FnMut(&[u8])) -> Result<(String, Vec<u8>)> {
        let first = self.line()?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().doing("read a length")?,
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(_) => {}
                None if line.is_empty() => break,
                None => return failed(format!("not a header: {line}")),
            }
        }
        let mut body = Vec::new();
        if !chunked {
            self.bytes(length, &mut body)?;
            part(&body);
            return Ok((first, body));
        }
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let length = usize::from_str_radix(size, 16).doing("read a chunk's length")?;
            self.bytes(length, &mut body)?;
            self.line()?;
            if length == 0 {
                return Ok((first, body));
            }
            part(&body);
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.stream.by_ref().take(LONGEST as u64).read_line(&mut line).doing("read a line")? {
            0 => failed("the connection was closed"),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn bytes(&mut self, length: usize, body: &mut Vec<u8>) -> Result<()> {
        let begin = body.len();
        if begin.saturating_add(length) > LONGEST {
            return failed(format!("a body of more than {LONGEST} bytes is too long"));
        }
        body.resize(begin + length, 0);
        self.stream.read_exact(&mut body[begin..]).doing("read a body")
    }
}
