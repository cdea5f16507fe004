//! HTTP/1.1 as the Runtime API needs it: one request per connection, everything bounded, blocking.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of a head or of a chunk's length.
const MAX_HEAD: usize = 64 * 1024;
/// How long a connection, a write or an answer may take; but the next event is waited for without end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the Runtime API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host:port`, as Lambda gives it.
    Tcp(String),
    /// `unix:/path`.
    Unix(PathBuf),
}

impl Address {
    /// Reads it as it stands in the environment.
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix("unix:") {
            Some(path) => Self::Unix(PathBuf::from(path)),
            None => Self::Tcp(text.to_owned()),
        }
    }

    fn host(&self) -> &str {
        match self {
            Self::Tcp(host) => host,
            Self::Unix(_) => "localhost",
        }
    }
}

/// A whole response.
pub struct Response {
    /// For example 202.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Response {
    /// A header's value; `name` in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Sends a request and reads its response, of at most `most` bytes. `patient`: waits for the response without end.
pub fn send(
    address: &Address,
    start: &str,
    headers: &str,
    body: &[u8],
    most: usize,
    patient: bool,
) -> io::Result<Response> {
    let mut stream = Stream::connect(address)?;
    let length = body.len();
    stream.write_all(head(address, start, &format!("{headers}Content-Length: {length}\r\n")).as_bytes())?;
    // Whoever refuses the body may not read it; the response says why.
    let _ = stream.write_all(body);
    if patient {
        stream.wait_for(None)?;
    }
    response(&mut stream, most)
}

fn head(address: &Address, start: &str, headers: &str) -> String {
    format!("{start} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", address.host())
}

/// A request whose body is sent in pieces. A piece is never waited for: what the connection does not take at once is
/// kept until the next piece or the end. A run that is watched meanwhile must not wait for a slow reader.
pub struct Upload {
    stream: Stream,
    backlog: Vec<u8>,
    broken: bool,
}

impl Upload {
    /// Sends the head.
    pub fn begin(address: &Address, start: &str, headers: &str) -> io::Result<Self> {
        let mut stream = Stream::connect(address)?;
        stream.write_all(
            head(address, start, &format!("{headers}Transfer-Encoding: chunked\r\n")).as_bytes(),
        )?;
        stream.wait(false)?;
        Ok(Self { stream, backlog: Vec::new(), broken: false })
    }

    /// Sends a piece, or keeps it. An empty one is nothing.
    pub fn piece(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.broken {
            return;
        }
        self.backlog.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
        self.backlog.extend_from_slice(bytes);
        self.backlog.extend_from_slice(b"\r\n");
        let mut sent = 0;
        while sent < self.backlog.len() {
            match self.stream.write(&self.backlog[sent..]) {
                Ok(0) => break,
                Ok(wrote) => sent += wrote,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The response says why, if there is one.
                Err(_) => self.broken = true,
            }
            if self.broken {
                break;
            }
        }
        self.backlog.drain(..sent);
        if self.backlog.is_empty() {
            self.backlog.shrink_to(MAX_HEAD);
        }
    }

    /// Sends what is left and the end, with trailers, and reads the response.
    pub fn end(mut self, trailers: &str) -> io::Result<Response> {
        self.stream.wait(true)?;
        if !self.broken {
            self.backlog.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
            // As with a piece: the response says why.
            let _ = self.stream.write_all(&self.backlog);
        }
        response(&mut self.stream, MAX_HEAD)
    }
}

fn response(stream: &mut Stream, most: usize) -> io::Result<Response> {
    let mut reader = Reader { stream, buffer: Vec::new(), at: 0 };
    let start = reader.line()?;
    let status =
        start.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|text| text.parse().ok());
    let status = status.ok_or_else(|| bad("its status line"))?;
    let mut response = Response { status, headers: reader.fields()?, body: Vec::new() };
    let chunked =
        response.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let length = response.header("content-length").map(str::parse::<usize>);
    response.body = match (chunked, length) {
        (true, _) => reader.chunks(most)?,
        (_, Some(Ok(length))) if length <= most => reader.bytes(length)?,
        (_, Some(Ok(_))) => return Err(bad("its length: it is more than is taken")),
        (_, Some(Err(_))) => return Err(bad("its length")),
        (_, None) => reader.everything(most)?,
    };
    Ok(response)
}

/// What a connection says, with what was read of it too early.
struct Reader<'a> {
    stream: &'a mut Stream,
    buffer: Vec<u8>,
    at: usize,
}

impl Reader<'_> {
    fn fields(&mut self) -> io::Result<Vec<(String, String)>> {
        let (mut fields, mut total) = (Vec::new(), 0);
        loop {
            let line = self.line()?;
            total += line.len();
            if line.is_empty() {
                return Ok(fields);
            }
            if total > MAX_HEAD {
                return Err(bad("its head: it is too long"));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad("a header"))?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn chunks(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| bad("a chunk's length"))?;
            if size == 0 {
                self.fields()?;
                return Ok(body);
            }
            if size > most - body.len() {
                return Err(bad("its length: it is more than is taken"));
            }
            body.extend(self.bytes(size)?);
            if !self.line()?.is_empty() {
                return Err(bad("a chunk's end"));
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8(rest[..end].to_vec()).map_err(|_| bad("a line"))?;
                self.at += end + 2;
                return Ok(line);
            }
            if rest.len() > MAX_HEAD {
                return Err(bad("a line: it is too long"));
            }
            self.more()?;
        }
    }

    fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let early = length.min(self.buffer.len() - self.at);
        let mut bytes = self.buffer[self.at..self.at + early].to_vec();
        self.at += early;
        bytes.resize(length, 0);
        self.stream.read_exact(&mut bytes[early..])?;
        Ok(bytes)
    }

    fn everything(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.buffer.split_off(self.at);
        let mut rest = self.stream.take((most as u64 + 1).saturating_sub(bytes.len() as u64));
        rest.read_to_end(&mut bytes)?;
        if bytes.len() > most { Err(bad("its length: it is more than is taken")) } else { Ok(bytes) }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut bytes = [0; 16 * 1024];
        let read = loop {
            match self.stream.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.drain(..std::mem::take(&mut self.at));
        self.buffer.extend_from_slice(&bytes[..read]);
        Ok(())
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn connect(address: &Address) -> io::Result<Self> {
        let stream = match address {
            Address::Unix(path) => Self::Unix(UnixStream::connect(path)?),
            Address::Tcp(host) => {
                let address = host.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
                let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
                stream.set_nodelay(true)?;
                Self::Tcp(stream)
            }
        };
        match &stream {
            Self::Tcp(stream) => stream.set_write_timeout(Some(PATIENCE))?,
            Self::Unix(stream) => stream.set_write_timeout(Some(PATIENCE))?,
        }
        stream.wait_for(Some(PATIENCE))?;
        Ok(stream)
    }

    fn wait_for(&self, time: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(time),
            Self::Unix(stream) => stream.set_read_timeout(time),
        }
    }

    fn wait(&self, wait: bool) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(!wait),
            Self::Unix(stream) => stream.set_nonblocking(!wait),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(bytes),
            Self::Unix(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the Runtime API's answer cannot be read: {what}"))
}
