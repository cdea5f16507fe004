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
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use opencode_core::error::{Error, Kind};
use opencode_core::isolate::Isolate;
use opencode_core::serve::{MAX_BODY, admit, refuse, serve};
use opencode_net::answer::{Body, Gone, respond};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::local::{Local, Shared};

/// Connections at once; the next ones wait in the system's backlog.
const CONNECTIONS: usize = 4_096;
/// Streams of one HTTP/2 connection.
const STREAMS: u32 = 256;
/// How long a client may take to send a request's head; an idle connection is closed after it too.
const HEAD: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's body.
const BODY: Duration = Duration::from_secs(60);
/// How much of a refused body is read on, so that its sender gets to see the refusal.
const DRAIN: usize = 4 * MAX_BODY;
/// How often a silent HTTP/2 client is asked whether it is still there, and how long it has to answer.
const PING: Duration = Duration::from_secs(20);
/// The pause after a failed accept: the process is out of file descriptors, most likely.
const BREATHER: Duration = Duration::from_millis(50);

/// What every connection needs.
#[derive(Clone)]
struct Context {
    shared: Arc<Shared>,
    isolate: Arc<Isolate>,
    /// Cloned into every answer: the channel closes with the last of them.
    busy: mpsc::Sender<()>,
}

/// Accepts until `stop`, then waits for the connections and the answers that outlive theirs.
pub(crate) async fn run(
    listen: TcpListener,
    shared: Arc<Shared>,
    isolate: Arc<Isolate>,
    mut stop: watch::Receiver<bool>,
) {
    let (busy, mut answers) = mpsc::channel(1);
    let context = Context { shared, isolate, busy };
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let (stream, permit) = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = accept(&listen, &room) => accepted,
        };
        tokio::spawn(connection(stream, context.clone(), graceful.watcher(), permit));
    }
    drop((listen, context));
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
    let _ = stream.set_nodelay(true);
    let asked = Arc::new(AtomicBool::new(false));
    let first = Arc::clone(&asked);
    let service = service_fn(move |request| {
        first.store(true, Ordering::Relaxed);
        let context = context.clone();
        async move { Ok::<_, Infallible>(answer(context, request).await) }
    });

    let mut builder = Builder::new(TokioExecutor::new());
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
    let stranger = Local::new(context.shared.clone(), Gone::never(), None);
    if let Err(refusal) = admit(&stranger, &context.isolate, &parts) {
        return refused(parts.version, *refusal, body);
    }
    let read = tokio::time::timeout(BODY, read(&mut body)).await;
    let error = match read {
        Ok(Ok(bytes)) => {
            return respond(parts.uri.clone(), |gone| {
                let host = Local::new(context.shared, gone, Some(context.busy));
                serve(host, context.isolate, Request::from_parts(parts, bytes))
            })
            .await;
        }
        Ok(Err(error)) => error,
        Err(_) => Error::invalid(format!("the body did not arrive within {} s", BODY.as_secs())),
    };
    refused(parts.version, refuse(&parts.uri, &error), body)
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

async fn read(body: &mut Incoming) -> Result<Bytes, Error> {
    let too_large = || Error::new(Kind::TooLarge, format!("the body is larger than {MAX_BODY} bytes"));
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::invalid("the body broke off"))?;
        let Ok(chunk) = frame.into_data() else { continue };
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
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
