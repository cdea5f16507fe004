//! The HTTP server: reads a request within its bounds, hands it to the core, and lets a task own the answer.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use opencode_core::error::Error;
use opencode_core::isolate::Isolate;
use opencode_core::serve::{admit, refuse, serve, too_large};
use opencode_net::Client;
use opencode_net::answer::{Body, Gone, respond};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::local::{Local, Process, Shared};

/// Connections at once; the next ones wait in the system's backlog.
const CONNECTIONS: usize = 4_096;
/// Streams of one HTTP/2 connection.
const STREAMS: u32 = 256;
/// How long a client may take to send a request's head; an idle connection is closed after it too.
const HEAD: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's body.
const BODY: Duration = Duration::from_secs(60);
/// The largest body that the server takes, in bytes, whatever the configuration says.
pub const MAX_BODY: usize = 64 * 1024 * 1024;
/// How much of a refused body is read on, so that its sender gets to see the refusal.
const DRAIN: usize = MAX_BODY;
/// How often a silent HTTP/2 client is asked whether it is still there, and how long it has to answer.
const PING: Duration = Duration::from_secs(20);
/// The pause after a failed accept: the process is out of file descriptors, most likely.
const BREATHER: Duration = Duration::from_millis(50);

/// What every connection of a thread needs.
#[derive(Clone)]
struct Context {
    shared: Arc<Shared>,
    isolate: Arc<Isolate>,
    /// Cloned into every answer: the channel closes with the last of them.
    busy: mpsc::Sender<()>,
}

/// A connection on its way to a thread, with its place among [`CONNECTIONS`].
type Accepted = (std::net::TcpStream, Option<OwnedSemaphorePermit>);

/// A thread that answers, with a runtime of its own: a request and everything it waits for stay on one core.
pub(crate) struct Thread {
    accepted: mpsc::Sender<Accepted>,
    /// Resolves when the thread's last answer has ended.
    over: oneshot::Receiver<()>,
}

/// Starts one thread per core.
pub(crate) fn threads(process: &Arc<Process>, isolate: &Arc<Isolate>) -> Result<Vec<Thread>, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let start = |number: usize| -> Result<Thread, String> {
        let shared = Arc::new(Shared { client: Client::new()?, process: Arc::clone(process) });
        let isolate = Arc::clone(isolate);
        let (accepted, connections) = mpsc::channel(CONNECTIONS);
        let (ended, over) = oneshot::channel();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("no runtime for a thread: {error}"))?;
        std::thread::Builder::new()
            .name(format!("answers-{number}"))
            .spawn(move || {
                runtime.block_on(serve_connections(connections, shared, isolate));
                let _ = ended.send(());
            })
            .map_err(|error| format!("no thread to answer on: {error}"))?;
        Ok(Thread { accepted, over })
    };
    (0..cores).map(start).collect()
}

/// Accepts until `stop` and hands the connections to the threads in turn; then waits for the threads to finish what
/// they have.
pub(crate) async fn run(listen: TcpListener, threads: Vec<Thread>, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    for thread in threads.iter().cycle() {
        let (stream, permit) = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = accept(&listen, &room) => accepted,
        };
        let _ = stream.set_nodelay(true);
        // From this runtime's reactor to the thread's own.
        match stream.into_std() {
            Ok(stream) => {
                let _ = thread.accepted.send((stream, permit)).await;
            }
            Err(error) => tracing::warn!(%error, "a connection was not accepted"),
        }
    }
    drop(listen);
    let threads: Vec<_> = threads.into_iter().map(|thread| thread.over).collect();
    for over in threads {
        let _ = over.await;
    }
}

async fn serve_connections(
    mut connections: mpsc::Receiver<Accepted>,
    shared: Arc<Shared>,
    isolate: Arc<Isolate>,
) {
    let (busy, mut answers) = mpsc::channel(1);
    let context = Context { shared, isolate, busy };
    let graceful = GracefulShutdown::new();
    while let Some((stream, permit)) = connections.recv().await {
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                tokio::spawn(connection(stream, context.clone(), graceful.watcher(), permit));
            }
            Err(error) => tracing::warn!(%error, "a connection was not accepted"),
        }
    }
    drop(context);
    graceful.shutdown().await;
    answers.recv().await;
}

async fn accept(listen: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed, so there is always a permit.
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listen.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    context: Context,
    watcher: Watcher,
    _permit: Option<OwnedSemaphorePermit>,
) {
    let asked = Arc::new(AtomicBool::new(false));
    let first = Arc::clone(&asked);
    let service = service_fn(move |request| {
        first.store(true, Ordering::Relaxed);
        let context = context.clone();
        async move { Ok::<_, Infallible>(answer(context, request).await) }
    });

    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    let served = watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
    // The protocol is told by the first bytes, and hyper's timeout begins after them.
    let silent = async {
        tokio::time::sleep(HEAD).await;
        if asked.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    tokio::select! {
        ended = served => if let Err(error) = ended {
            tracing::debug!(error, "a connection ended early");
        },
        () = silent => {}
    }
}

async fn answer(context: Context, request: Request<Incoming>) -> Response<Body> {
    let (parts, mut body) = request.into_parts();
    let (version, uri) = (parts.version, parts.uri.clone());
    let stranger = Local::new(Arc::clone(&context.shared), Gone::never(), None);
    let admitted = match admit(&stranger, &context.isolate, parts).await {
        Ok(admitted) => admitted,
        Err(response) => return refused(version, *response, body),
    };
    let read = if body.is_end_stream() {
        Ok(Bytes::new())
    } else {
        let read = tokio::time::timeout(BODY, read(&mut body, admitted.max_body())).await;
        let late = || Error::invalid(format!("the body did not arrive within {} s", BODY.as_secs()));
        read.unwrap_or_else(|_| Err(late()))
    };
    match read {
        Ok(bytes) => {
            let lost = |error: &Error| refuse(&stranger, &uri, error);
            respond(lost, |gone| {
                let host = Local::new(context.shared, gone, Some(context.busy));
                serve(host, admitted, bytes)
            })
            .await
        }
        Err(error) => refused(version, admitted.refuse(&stranger, &error), body),
    }
}

/// A refusal before the body was read ends the connection, unless there is no body.
fn refused(version: Version, refusal: Response<Bytes>, body: Incoming) -> Response<Body> {
    let mut response = refusal.map(Body::whole);
    if body.is_end_stream() {
        return response;
    }
    if version <= Version::HTTP_11 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    tokio::spawn(tokio::time::timeout(HEAD, drain(body)));
    response
}

async fn read(body: &mut Incoming, limit: usize) -> Result<Bytes, Error> {
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::invalid("the body broke off"))?;
        let Ok(chunk) = frame.into_data() else { continue };
        if whole.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        // Most bodies come as one chunk, which need not be copied.
        if whole.is_empty() && body.is_end_stream() {
            return Ok(chunk);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Reads a refused body on and forgets it: closing on unread bytes would reset the connection, and the refusal
/// with it.
async fn drain(mut body: Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await
        && read < DRAIN
    {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}
