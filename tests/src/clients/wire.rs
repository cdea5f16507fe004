//! Kept bytes read again, as HTTP/1.1 exchanges.

use std::io;

use flate2::read::GzDecoder;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::relay::Tape;
use crate::h1::{Conn, Head};
use crate::sse::{self, Event};

/// A request and its answer, as far as it came.
pub struct Exchange {
    /// The path, without the query.
    pub path: String,
    /// The request's body; `Null` without one.
    pub request: Value,
    /// The answer's status.
    pub status: u16,
    /// The answer's head.
    pub head: Head,
    /// The answer's body.
    pub body: String,
    /// Whether the body came to its end.
    pub complete: bool,
}

impl Exchange {
    /// The events of an event stream, without a piece of one at the end.
    pub fn events(&self) -> Vec<Event> {
        let mut rest = self.body.clone();
        let mut events = Vec::new();
        while let Some(frame) = sse::cut(&mut rest) {
            events.extend(sse::parse(&frame));
        }
        events
    }

    /// Whether the body came to its end, or to where clients hang up: each dialect's last event, and an error event.
    pub fn ends(&self) -> bool {
        const LAST: [&str; 5] =
            ["error", "message_stop", "response.completed", "response.incomplete", "response.failed"];
        let ends = |event: Event| {
            let data = event.json();
            let last = data["type"].as_str().is_some_and(|name| LAST.contains(&name));
            last || event.data == "[DONE]" || !data["error"].is_null()
        };
        self.complete || self.events().pop().is_some_and(ends)
    }

    /// The answer's media type, without parameters.
    pub fn media(&self) -> &str {
        self.head.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim()
    }
}

/// Every exchange of a connection. A request that was not answered is left out.
pub async fn exchanges(tape: &Tape) -> Result<Vec<Exchange>, String> {
    read(tape).await.map_err(|error| format!("what went by is not HTTP/1.1: {error}"))
}

async fn read(tape: &Tape) -> io::Result<Vec<Exchange>> {
    let mut sent = replay(tape.sent.clone()).await?;
    let mut received = replay(tape.received.clone()).await?;
    let mut exchanges = Vec::new();
    while let Some(request) = sent.head().await? {
        // A host may refuse before it has read everything.
        let body = sent.rest(request.request_body()).await.unwrap_or_default();
        let Some(head) = received.head().await? else { break };
        let mut left = head.response_body();
        let encoding = head.header("content-encoding").map(str::to_owned);
        let mut bytes = Vec::new();
        let complete = loop {
            match received.piece(&mut left).await {
                Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        exchanges.push(Exchange {
            path: request.word(1).split('?').next().unwrap_or_default().to_owned(),
            request: serde_json::from_slice(&body).unwrap_or_default(),
            status: head.word(1).parse().map_err(io::Error::other)?,
            head,
            // What was left in the middle, as an SDK does with the answer that it will ask for again, may not unpack.
            body: match text(bytes, encoding.as_deref()) {
                Err(_) if !complete => String::new(),
                body => body?,
            },
            complete,
        });
        if !complete {
            break;
        }
    }
    Ok(exchanges)
}

/// A body as text. `wrangler dev`, like Cloudflare, compresses what is not a stream for whoever accepts it.
fn text(bytes: Vec<u8>, encoding: Option<&str>) -> io::Result<String> {
    match encoding {
        None => String::from_utf8(bytes).map_err(io::Error::other),
        Some("gzip") => io::read_to_string(GzDecoder::new(bytes.as_slice())),
        Some(other) => Err(io::Error::other(format!("the suite cannot read the encoding {other}"))),
    }
}

/// A connection on which these bytes arrive, and then its end.
async fn replay(bytes: Vec<u8>) -> io::Result<Conn> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let mut writer = TcpStream::connect(listener.local_addr()?).await?;
    let (reader, _) = listener.accept().await?;
    tokio::spawn(async move {
        let _ = writer.write_all(&bytes).await;
        let _ = writer.shutdown().await;
    });
    Ok(Conn::new(reader))
}
