//! HTTP/1.1 by hand, for both sides, so that a test decides how a connection ends.

use std::future::pending;
use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The largest head or chunk-size line that is read, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// A connection and what was read from it too early.
pub struct Conn {
    stream: TcpStream,
    buffer: BytesMut,
    trailers: Vec<(String, String)>,
}

/// The start line and headers of a request or response.
pub struct Head {
    /// For example `GET / HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub start: String,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
}

/// What is still to be read of a message's body.
pub enum Body {
    /// So many bytes.
    Sized(u64),
    /// Chunks up to the empty one.
    Chunked,
    /// Until the peer closes.
    ToEnd,
}

impl Head {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A word of the start line.
    pub fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }

    /// The body of a request with this head.
    pub fn request_body(&self) -> Body {
        match self.header("transfer-encoding") {
            Some("chunked") => Body::Chunked,
            _ => Body::Sized(self.length().unwrap_or(0)),
        }
    }

    /// The body of a response with this head.
    pub fn response_body(&self) -> Body {
        match (self.header("transfer-encoding"), self.length()) {
            (Some("chunked"), _) => Body::Chunked,
            (_, Some(length)) => Body::Sized(length),
            _ if matches!(self.word(1), "204" | "304") => Body::Sized(0),
            _ => Body::ToEnd,
        }
    }

    fn length(&self) -> Option<u64> {
        self.header("content-length").and_then(|text| text.parse().ok())
    }
}

impl Conn {
    /// Takes a connection over; small writes leave at once.
    pub fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: BytesMut::new(), trailers: Vec::new() }
    }

    /// The next message's head; `None` when the peer closed between messages.
    pub async fn head(&mut self) -> io::Result<Option<Head>> {
        if self.buffer.is_empty() && self.fill().await? == 0 {
            return Ok(None);
        }
        let start = self.line().await?;
        let headers = self.fields().await?;
        Ok(Some(Head { start, headers }))
    }

    /// The next piece of a body; `None` at its end. A peer that closes too early is an error.
    pub async fn piece(&mut self, body: &mut Body) -> io::Result<Option<Bytes>> {
        match body {
            Body::Sized(0) => Ok(None),
            Body::Sized(left) => {
                let piece = self.take(*left).await?;
                *left -= piece.len() as u64;
                Ok(Some(piece))
            }
            Body::ToEnd => match self.buffer.is_empty() && self.fill().await? == 0 {
                true => Ok(None),
                false => Ok(Some(self.buffer.split().freeze())),
            },
            Body::Chunked => {
                let line = self.line().await?;
                let digits = line.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(digits, 16).map_err(|_| bad("chunk size"))?;
                if size == 0 {
                    self.trailers = self.fields().await?;
                    *body = Body::Sized(0);
                    return Ok(None);
                }
                while self.buffer.len() < size + 2 {
                    self.more().await?;
                }
                let piece = self.buffer.split_to(size).freeze();
                self.buffer.advance(2);
                Ok(Some(piece))
            }
        }
    }

    /// The rest of a body.
    pub async fn rest(&mut self, mut body: Body) -> io::Result<Bytes> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.piece(&mut body).await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// A trailer of the last chunked body.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Writes bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Writes one chunk of a chunked body. An empty one ends it.
    pub async fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        self.write(&framed).await
    }

    /// Writes a whole response with a JSON body.
    pub async fn respond(&mut self, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        self.write(&[head.as_bytes(), body].concat()).await
    }

    /// Resolves when the peer has closed or reset. Never, once it has sent more.
    pub async fn hung_up(&self) {
        if !self.buffer.is_empty() {
            pending::<()>().await;
        }
        if let Ok(1..) = self.stream.peek(&mut [0]).await {
            pending::<()>().await;
        }
    }

    /// Closes with FIN: what has arrived is read first, because a close with unread data is a reset.
    pub async fn fin(mut self) {
        let _ = self.stream.shutdown().await;
        let mut sink = [0; 4096];
        while matches!(self.stream.try_read(&mut sink), Ok(1..)) {}
    }

    /// Closes with RST.
    pub fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }

    async fn fields(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad("header"))?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.split_to(end);
                self.buffer.advance(2);
                return String::from_utf8(line.to_vec()).map_err(|_| bad("line"));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(bad("line too long"));
            }
            self.more().await?;
        }
    }

    async fn take(&mut self, most: u64) -> io::Result<Bytes> {
        if self.buffer.is_empty() {
            self.more().await?;
        }
        let size = usize::try_from(most).unwrap_or(usize::MAX).min(self.buffer.len());
        Ok(self.buffer.split_to(size).freeze())
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.fill().await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed in the middle of a message")),
            _ => Ok(()),
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.buffer).await
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP/1.1: {what}"))
}
