//! As much HTTP/1.1 as measuring takes: one request at a time on a connection that stays open.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::failure::{Doing, Result, failed};

/// The longest body that is read, in bytes.
const LONGEST: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// An upstream that answers every request with the same JSON at once; returns its address. It ends with the process.
pub fn upstream(answer: &'static str) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").doing("listen on loopback")?;
    let address = listener.local_addr().doing("listen on loopback")?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let Ok(mut connection) = Connection::new(stream) else { return };
                while connection.read().is_ok() {
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
                    if connection.write(&format!("{head}: {}\r\n\r\n{answer}", answer.len())).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}

/// One side of an open connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects as a client.
    pub fn to(address: &str) -> Result<Self> {
        Self::new(TcpStream::connect(address).doing(format!("connect to {address}"))?)
    }

    fn new(stream: TcpStream) -> Result<Self> {
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
            .doing("set up a connection")?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a request and reads its answer to the end; any status but 200 is an error.
    pub fn exchange(&mut self, request: &str) -> Result<()> {
        self.write(request)?;
        let (first, body) = self.read()?;
        if first.contains(" 200 ") { Ok(()) } else { failed(format!("the answer was {first}: {body}")) }
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.stream.get_mut().write_all(text.as_bytes()).doing("send a message")
    }

    /// A message's first line and body.
    fn read(&mut self) -> Result<(String, String)> {
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
        let body = if chunked { self.chunks()? } else { self.bytes(length)? };
        Ok((first, String::from_utf8_lossy(&body).into_owned()))
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.line()?, 16).doing("read a chunk's length")?;
            body.extend(self.bytes(length)?);
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.stream.by_ref().take(LONGEST as u64).read_line(&mut line).doing("read a line")? {
            0 => failed("the connection was closed"),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        if length > LONGEST {
            return failed(format!("a body of {length} bytes is too long"));
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).doing("read a body")?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_requests_go_over_one_connection() {
        let address = upstream("{}").unwrap();
        let mut connection = Connection::to(&address).unwrap();
        for _ in 0..3 {
            connection.exchange("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        }
    }
}
