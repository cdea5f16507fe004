//! A task owns the answer; the connection only reads it.
//!
//! The task feeds a channel of one chunk. A client that leaves drops the reading end: the task learns of it through
//! [`Gone`] and runs on until the answer is settled. A task that dies leaves a broken body, never a clean end.

use std::fmt;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::Response;
use http_body::{Frame, SizeHint};
use opencode_core::error::{Error, Kind};
use opencode_core::serve::Reply;
use tokio::sync::{mpsc, oneshot, watch};

/// How long one chunk may wait for the client to read the one before it. After it the client counts as gone.
pub const MAX_SEND: Duration = Duration::from_secs(60);

/// Runs an answer in a task of its own and resolves with its head. `begin` makes the future of
/// `opencode_core::serve::serve`, with the source for the host's `Caller::gone`.
///
/// Dropping the returned future, or later the body, means that the client has left; the task runs on to its end.
/// An answer that dies before its head becomes what `refuse` makes of an internal error.
pub async fn respond<R, F, A, S>(refuse: R, begin: F) -> Response<Body>
where
    R: FnOnce(&Error) -> Response<Bytes>,
    F: FnOnce(Gone) -> A,
    A: Future<Output = Response<Reply<S>>> + Send + 'static,
    S: Stream<Item = Bytes> + Send + 'static,
{
    let (writer, body) = pipe();
    // Boxed, so that it is not moved on its way into the task.
    let answer = Box::pin(begin(writer.gone()));
    let (head, wait) = oneshot::channel();
    tokio::spawn(async move {
        let (parts, reply) = answer.await.into_parts();
        // Nobody waits for the head of a client that has left; a stream still runs to its end.
        match reply {
            Reply::Whole(bytes) => {
                let _ = head.send((parts, Some(bytes)));
            }
            Reply::Stream(stream) => {
                let _ = head.send((parts, None));
                writer.run(stream).await;
            }
        }
    });
    match wait.await {
        Ok((parts, Some(bytes))) => Response::from_parts(parts, Body::whole(bytes)),
        Ok((parts, None)) => Response::from_parts(parts, body),
        Err(_) => {
            tracing::error!("an answer ended before its head");
            let error = Error::new(Kind::Internal, "the answer could not be made");
            refuse(&error).map(Body::whole)
        }
    }
}

/// A writing and a reading end with room for one chunk between them.
pub fn pipe() -> (Writer, Body) {
    let (chunks, read) = mpsc::channel(1);
    let state = Arc::new(State { gone: watch::Sender::new(false), ended: AtomicBool::new(false) });
    let writer = Writer { chunks: Some(chunks), state: Arc::clone(&state) };
    (writer, Body(Inner::Piped(Reader { chunks: read, state })))
}

struct State {
    gone: watch::Sender<bool>,
    ended: AtomicBool,
}

/// The end that the answer's task holds.
pub struct Writer {
    /// `None` once the client has left.
    chunks: Option<mpsc::Sender<Bytes>>,
    state: Arc<State>,
}

impl Writer {
    /// The source for the host's `Caller::gone`.
    pub fn gone(&self) -> Gone {
        Gone(Some(self.state.gone.subscribe()))
    }

    /// Hands on the stream's items as they come and polls it to its end even when the client has left.
    pub async fn run(mut self, stream: impl Stream<Item = Bytes>) {
        let mut stream = pin!(stream);
        while let Some(chunk) = stream.next().await {
            self.send(chunk).await;
        }
        if self.chunks.is_some() {
            self.state.ended.store(true, Ordering::Release);
        }
    }

    async fn send(&mut self, chunk: Bytes) {
        let Some(chunks) = &self.chunks else { return };
        let sent = chunk.is_empty()
            || matches!(tokio::time::timeout(MAX_SEND, chunks.send(chunk)).await, Ok(Ok(())));
        if !sent {
            self.chunks = None;
            self.state.gone.send_replace(true);
        }
    }
}

/// Tells when the client has left.
#[derive(Clone)]
pub struct Gone(Option<watch::Receiver<bool>>);

impl Gone {
    /// For work that nobody waits for.
    pub fn never() -> Self {
        Self(None)
    }

    /// `Caller::gone`: resolves once the client is known to have left. May be awaited again and again.
    pub async fn wait(&self) {
        let Some(gone) = &self.0 else { return pending().await };
        // The sender lives as long as the answer; without it there is nothing left to wait for.
        if gone.clone().wait_for(|gone| *gone).await.is_err() {
            pending().await
        }
    }
}

/// The body that the connection reads. Dropping it means that the client has left.
pub struct Body(Inner);

enum Inner {
    Whole(Option<Bytes>),
    Piped(Reader),
}

struct Reader {
    chunks: mpsc::Receiver<Bytes>,
    state: Arc<State>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.state.gone.send_replace(true);
    }
}

impl Body {
    /// A body that is known in full: its length is announced.
    pub fn whole(bytes: Bytes) -> Self {
        Self(Inner::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }
}

/// The answer broke off: the connection must not end it as if it were complete.
#[derive(Debug)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer broke off")
    }
}

impl std::error::Error for Broken {}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.0 {
            Inner::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Piped(reader) => reader.chunks.poll_recv(context).map(|chunk| match chunk {
                Some(chunk) => Some(Ok(Frame::data(chunk))),
                None if reader.state.ended.load(Ordering::Acquire) => None,
                None => Some(Err(Broken)),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Inner::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Inner::Piped(_) => SizeHint::default(),
        }
    }
}
