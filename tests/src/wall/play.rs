//! Plays scripts on connections.

use std::future::pending;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::Shared;
use super::dialect::{Asked, error};
use super::embed;
use super::fault;
use super::script::{Step, script};
use super::stats::{Call, End};
use crate::h1::{Conn, Head};

const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// Answers one request after another until either side ends the connection.
pub(super) async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let mut conn = Conn::new(stream);
    while let Ok(Some(head)) = conn.head().await {
        let Ok(body) = conn.rest(head.request_body()).await else { return };
        let done = match (head.word(0), head.word(1)) {
            ("GET", "/v1/models") => models(&mut conn).await,
            ("POST", "/v1/embeddings") => {
                let (status, answer) = embed::answer(&shared, &body, &head);
                conn.respond(status, "", answer.as_bytes()).await
            }
            ("POST", "/v1/chat/completions") => match chat(&mut conn, &shared, &body, &head).await {
                Some(Step::Reset) => return conn.reset(),
                Some(_) => return,
                None => Ok(()),
            },
            _ => conn.respond(404, "", error("no such route on the wall").as_bytes()).await,
        };
        if done.is_err() {
            return;
        }
    }
}

async fn models(conn: &mut Conn) -> io::Result<()> {
    let body =
        r#"{"object":"list","data":[{"id":"ok","object":"model","created":1700000000,"owned_by":"wall"}]}"#;
    conn.respond(200, "", body.as_bytes()).await
}

/// Plays one call. `None`: the connection can be used again; otherwise the step that it ended with.
async fn chat(conn: &mut Conn, shared: &Shared, body: &[u8], head: &Head) -> Option<Step> {
    let asked = Asked::read(body);
    let known = asked.as_ref().and_then(|asked| fault::parse(&asked.model));
    let (Some(asked), Some((fault, tag))) = (&asked, known) else {
        let refused = conn.respond(404, "", error("the wall has no such model").as_bytes()).await;
        return refused.is_err().then_some(Step::Hang);
    };
    let call = Call {
        model: asked.model.clone(),
        stream: asked.stream,
        authorization: head.header("authorization").map(str::to_owned),
        traceparent: head.header("traceparent").map(str::to_owned),
        body: String::from_utf8_lossy(body).into_owned(),
        tokens: 0,
        end: End::Open,
    };
    let index = shared.book.lock().unwrap().came(tag, call);
    let mut played = Played { shared, tag, index, waits: true };
    for step in script(&fault, asked, index + 1) {
        if played.step(conn, &step).await.is_err() {
            played.end(End::Cancelled);
            return Some(Step::Hang);
        }
        if matches!(step, Step::Reset) {
            played.end(End::Broken);
            return Some(step);
        }
    }
    played.end(End::Completed);
    None
}

struct Played<'a> {
    shared: &'a Shared,
    tag: &'a str,
    index: usize,
    waits: bool,
}

impl Played<'_> {
    /// Does one step; an error means that the caller has hung up.
    async fn step(&mut self, conn: &mut Conn, step: &Step) -> io::Result<()> {
        match step {
            Step::Wait(pause) => still(conn, tokio::time::sleep(*pause)).await,
            Step::Gate => still(conn, self.shared.released(self.tag)).await,
            Step::Hang => still(conn, pending()).await,
            Step::Whole(status, headers, body) => {
                self.headed();
                conn.respond(*status, headers, body.as_bytes()).await
            }
            Step::Half(body) => {
                self.headed();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                conn.write(&[head.as_bytes(), &body.as_bytes()[..body.len() / 2]].concat()).await
            }
            Step::Stream => {
                self.headed();
                conn.write(STREAM).await
            }
            Step::Piece(piece) => conn.chunk(piece.as_bytes()).await,
            Step::Token(frame) => {
                still(conn, std::future::ready(())).await?;
                conn.chunk(frame.as_bytes()).await?;
                self.shared.book.lock().unwrap().call(self.tag, self.index).tokens += 1;
                Ok(())
            }
            Step::End => conn.chunk(b"").await,
            Step::Reset => Ok(()),
        }
    }

    fn headed(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.shared.book.lock().unwrap().headed(self.tag);
        }
    }

    fn end(&mut self, end: End) {
        self.headed();
        self.shared.book.lock().unwrap().call(self.tag, self.index).end = end;
    }
}

/// Waits, unless the caller hangs up first.
async fn still(conn: &Conn, wait: impl Future<Output = ()>) -> io::Result<()> {
    tokio::select! {
        biased;
        () = conn.hung_up() => Err(io::ErrorKind::ConnectionReset.into()),
        () = wait => Ok(()),
    }
}
