//! Plays scripts on connections.

use std::future::pending;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::Shared;
use super::answer::Answer;
use super::dialect::{Dialect, Voice, chat};
use super::embed;
use super::fault::{self, Fault};
use super::reason::Reason;
use super::sandbox;
use super::script::{Step, Turn, refusal, script};
use super::stats::{Call, End};
use crate::h1::{Conn, Head};

/// What becomes of a connection after a call.
enum Then {
    Next,
    Close,
    Fin,
    Reset,
}

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
            ("POST", target) if sandbox::is_for(target) => {
                match sandbox::invoked(conn, &shared, &body, &head).await {
                    Some(again) => {
                        conn = again;
                        continue;
                    }
                    None => return,
                }
            }
            ("POST", target) if Dialect::of(target).is_some() => {
                match called(&mut conn, &shared, &body, &head).await {
                    Then::Next => Ok(()),
                    Then::Close => return,
                    Then::Fin => return conn.fin().await,
                    Then::Reset => return conn.reset(),
                }
            }
            _ => conn.respond(404, "", chat::plain("no such route on the wall").as_bytes()).await,
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

/// Plays one call.
async fn called(conn: &mut Conn, shared: &Shared, body: &[u8], head: &Head) -> Then {
    let target = head.word(1);
    let Some(dialect) = Dialect::of(target) else { return Then::Close };
    let asked = match dialect.read(target, body) {
        Ok(asked) => asked,
        Err(reason) => return unknown(conn, dialect, &reason).await,
    };
    let Some((order, tag)) = fault::parse(&asked.model) else {
        return unknown(conn, dialect, &Reason::Model).await;
    };
    let call = Call::new(dialect, &asked.model, asked.stream, body, head, shared.start.elapsed());
    let (index, turn) = came(shared, tag, call, &order.fault);
    let answer = Answer::of(&order, &asked);
    let steps = match dialect.refuses(head) {
        Some(reason) => vec![refusal(dialect, &reason)],
        None => script(&order, &asked, &answer, turn),
    };
    let voice = dialect.voice(&asked, &answer);
    let mut played = Played { shared, tag, index, waits: true, dialect, voice };
    for step in steps {
        if played.step(conn, &step).await.is_err() {
            played.end(End::Cancelled);
            return Then::Close;
        }
        let then = match step {
            Step::Reset => Then::Reset,
            Step::Fin => Then::Fin,
            _ => continue,
        };
        played.end(End::Broken);
        return then;
    }
    played.end(End::Completed);
    Then::Next
}

/// A call that no tag can be found for.
async fn unknown(conn: &mut Conn, dialect: Dialect, reason: &Reason) -> Then {
    let refused = conn.respond(reason.status(), "", dialect.error(reason).as_bytes()).await;
    if refused.is_ok() { Then::Next } else { Then::Close }
}

/// Notes a call; gives its place in the tag's list, and which call it is.
fn came(shared: &Shared, tag: &str, call: Call, fault: &Fault) -> (usize, Turn) {
    let mut book = shared.book.lock().unwrap();
    let left = match fault {
        Fault::RetryAfter(seconds) => book.left(&call.model, *seconds),
        _ => None,
    };
    let model = call.model.clone();
    let index = book.came(tag, call);
    let list = &book.tags[tag].list;
    let of_model = list.iter().filter(|call| call.model == model).count();
    book.call(tag, index).early = left.is_some() && of_model > 1;
    (index, Turn { number: index + 1, of_model, left })
}

struct Played<'a> {
    shared: &'a Shared,
    tag: &'a str,
    index: usize,
    waits: bool,
    dialect: Dialect,
    voice: Box<dyn Voice + 'a>,
}

impl Played<'_> {
    /// Does one step; an error means that the caller has hung up.
    async fn step(&mut self, conn: &mut Conn, step: &Step) -> io::Result<()> {
        match step {
            Step::Wait(pause) => still(conn, tokio::time::sleep(*pause)).await,
            Step::Gate => still(conn, self.shared.released(self.tag)).await,
            Step::Hang => still(conn, pending()).await,
            Step::Whole(status, headers, body) => {
                self.headed(*status);
                conn.respond(*status, headers, body.as_bytes()).await
            }
            Step::Half(body) => {
                self.headed(200);
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                conn.write(&[head.as_bytes(), &body.as_bytes()[..body.len() / 2]].concat()).await
            }
            Step::Stream => {
                self.headed(200);
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\n\r\n",
                    self.dialect.media()
                );
                conn.write(head.as_bytes()).await
            }
            Step::Say(say) => {
                let frames = self.voice.say(say);
                if say.is_piece() {
                    still(conn, std::future::ready(())).await?;
                }
                if !frames.is_empty() {
                    conn.chunk(frames.as_bytes()).await?;
                }
                if say.is_piece() {
                    self.sent();
                }
                Ok(())
            }
            Step::Raw(text) => conn.chunk(text.as_bytes()).await,
            Step::End => conn.chunk(b"").await,
            Step::Fin | Step::Reset => Ok(()),
        }
    }

    fn headed(&mut self, status: u16) {
        let at = self.shared.start.elapsed();
        let mut book = self.shared.book.lock().unwrap();
        if std::mem::take(&mut self.waits) {
            book.headed(self.tag);
            let call = book.call(self.tag, self.index);
            (call.status, call.headed) = (Some(status), Some(at));
        }
    }

    fn sent(&self) {
        let at = self.shared.start.elapsed();
        let mut book = self.shared.book.lock().unwrap();
        let call = book.call(self.tag, self.index);
        call.tokens += 1;
        call.first.get_or_insert(at);
    }

    fn end(&mut self, end: End) {
        let at = self.shared.start.elapsed();
        let mut book = self.shared.book.lock().unwrap();
        if std::mem::take(&mut self.waits) {
            book.headed(self.tag);
        }
        let call = book.call(self.tag, self.index);
        (call.end, call.ended) = (end, Some(at));
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
