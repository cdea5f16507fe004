//! A client that reads piece by piece and leaves when and how a test wants it to.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::h1::{Body, Conn, Head};
use crate::sse::{self, Chat, Event};

/// What only a hung test meets.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A request to be sent on a connection of its own.
#[derive(Clone)]
pub struct Request {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Any method, no body.
    pub fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A `POST` of JSON.
    pub fn post(url: impl Into<String>, body: &Value) -> Self {
        Self::new("POST", url).header("content-type", "application/json").body(body.to_string())
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds `Authorization: Bearer …`.
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// Sets the body as it is.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it without waiting for an answer.
    pub async fn start(&self) -> Result<Conn, String> {
        let rest = self.url.strip_prefix("http://").ok_or("only http:// is spoken here")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let stream = within("connecting", TcpStream::connect(authority)).await?;
        let mut head = format!("{} /{path} HTTP/1.1\r\nhost: {authority}\r\n", self.method);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.method != "GET" || !self.body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut conn = Conn::new(stream);
        let bytes = [head.as_bytes(), &self.body].concat();
        within("writing the request", conn.write(&bytes)).await?;
        Ok(conn)
    }

    /// Sends it and reads the answer's head.
    pub async fn send(&self) -> Result<Response, String> {
        let mut conn = self.start().await?;
        let head = within("reading the head", conn.head()).await?.ok_or("closed without an answer")?;
        let status = head.word(1).parse().map_err(|_| format!("not a status line: {}", head.start))?;
        let body = head.response_body();
        Ok(Response { status, head, conn, body, buffer: String::new() })
    }
}

/// An answer whose body is still to be read.
pub struct Response {
    /// The status.
    pub status: u16,
    head: Head,
    conn: Conn,
    body: Body,
    buffer: String,
}

impl Response {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// All headers.
    pub fn headers(&self) -> &[(String, String)] {
        &self.head.headers
    }

    /// The next piece as it came off the wire; `None` at the end.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, String> {
        within("reading the body", self.conn.piece(&mut self.body)).await
    }

    /// The next event; `None` at the end.
    pub async fn event(&mut self) -> Result<Option<Event>, String> {
        loop {
            while let Some(frame) = sse::cut(&mut self.buffer) {
                if let Some(event) = sse::parse(&frame) {
                    return Ok(Some(event));
                }
            }
            match self.piece().await? {
                Some(piece) => self.buffer.push_str(&String::from_utf8_lossy(&piece)),
                None if self.buffer.trim().is_empty() => return Ok(None),
                None => return Err(format!("the stream ends inside a frame: {:?}", self.buffer)),
            }
        }
    }

    /// Every event to the end.
    pub async fn events(&mut self) -> Result<Vec<Event>, String> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await? {
            events.push(event);
        }
        Ok(events)
    }

    /// The stream read to its end as a chat.
    pub async fn chat(&mut self) -> Result<Chat, String> {
        Ok(Chat::read(&self.events().await?))
    }

    /// Reads on until `count` events with content have come.
    pub async fn tokens(&mut self, count: usize) -> Result<(), String> {
        let mut seen = 0;
        while seen < count {
            let event = self.event().await?.ok_or("the stream ended before the tokens came")?;
            let json = event.json();
            seen +=
                usize::from(!json["choices"][0]["delta"]["content"].as_str().unwrap_or_default().is_empty());
        }
        Ok(())
    }

    /// The body to its end.
    pub async fn text(&mut self) -> Result<String, String> {
        let mut text = std::mem::take(&mut self.buffer).into_bytes();
        while let Some(piece) = self.piece().await? {
            text.extend_from_slice(&piece);
        }
        String::from_utf8(text).map_err(|_| "the body is not UTF-8".to_owned())
    }

    /// The body as JSON.
    pub async fn json(&mut self) -> Result<Value, String> {
        let text = self.text().await?;
        serde_json::from_str(&text).map_err(|error| format!("{error} in {text:?}"))
    }

    /// Leaves with FIN.
    pub async fn fin(self) {
        self.conn.fin().await;
    }

    /// Leaves with RST.
    pub fn reset(self) {
        self.conn.reset();
    }
}

async fn within<T>(what: &str, io: impl Future<Output = std::io::Result<T>>) -> Result<T, String> {
    match timeout(LIMIT, io).await {
        Ok(done) => done.map_err(|error| format!("{what}: {error}")),
        Err(_) => Err(format!("{what}: nothing for {} s", LIMIT.as_secs())),
    }
}
