//! The server: OpenAI's chat completions over one model.

mod answer;
mod chat;
mod refusal;
mod request;
mod sampling;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::generate::Engine;
use answer::Body;
use refusal::Refusal;
pub(crate) use request::Defaults;

/// Connections at once; the next ones wait in the system's backlog.
const CONNECTIONS: usize = 256;
/// The largest body that is read.
const MAX_BODY: usize = 4 << 20;
/// How long a client may take to send a head, and a body.
const HEAD: Duration = Duration::from_secs(10);
const BODY: Duration = Duration::from_secs(60);
/// How much of a refused body is read on, so that its sender gets to see the refusal.
const DRAIN: usize = 4 * MAX_BODY;
/// The pause after a failed accept: the process is out of file descriptors, most likely.
const BREATHER: Duration = Duration::from_millis(50);

/// What every connection needs.
pub(crate) struct Served {
    pub(crate) engine: Engine,
    pub(crate) name: String,
    pub(crate) defaults: Defaults,
    /// When the model was loaded, in seconds since 1970.
    pub(crate) since: u64,
}

/// Serves until the future is dropped.
pub(crate) async fn run(listener: TcpListener, served: Arc<Served>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed, so there is always a permit.
        let permit = Arc::clone(&room).acquire_owned().await.ok();
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(BREATHER).await;
                continue;
            }
        };
        let served = Arc::clone(&served);
        tokio::spawn(async move {
            connection(stream, served).await;
            drop(permit);
        });
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Binds, or says why not.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

async fn connection(stream: TcpStream, served: Arc<Served>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let served = Arc::clone(&served);
        async move { Ok::<_, Infallible>(respond(&served, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn respond(served: &Served, request: Request<Incoming>) -> Response<Body> {
    let (parts, mut body) = request.into_parts();
    let answered = match (parts.uri.path(), &parts.method) {
        ("/v1/chat/completions", &Method::POST) => match read(&mut body).await {
            Ok(bytes) => chat::complete(served, &bytes).await,
            Err(refusal) => Err(refusal),
        },
        ("/v1/models", &Method::GET | &Method::HEAD) => {
            Ok(whole(&json!({ "object": "list", "data": [model(served)] })))
        }
        ("/health", &Method::GET | &Method::HEAD) => Ok(whole(&json!({ "status": "ok" }))),
        ("/v1/chat/completions", _) => Err(Refusal::method("POST")),
        ("/v1/models" | "/health", _) => Err(Refusal::method("GET, HEAD")),
        (path, method) => Err(Refusal::path(method, path)),
    };
    let mut response = answered.unwrap_or_else(|refusal| refusal.response().map(Body::whole));
    if !body.is_end_stream() {
        if parts.version <= Version::HTTP_11 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        tokio::spawn(tokio::time::timeout(HEAD, drain(body)));
    }
    response
}

fn model(served: &Served) -> Value {
    json!({ "id": served.name, "object": "model", "created": served.since, "owned_by": "local" })
}

fn whole(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::whole(Bytes::from(value.to_string())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn read(body: &mut Incoming) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(Refusal::too_large(MAX_BODY));
    }
    let bytes = tokio::time::timeout(BODY, collect(body)).await;
    bytes.unwrap_or_else(|_| Err(Refusal::late(BODY.as_secs())))
}

async fn collect(body: &mut Incoming) -> Result<Bytes, Refusal> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::invalid(None, "the body broke off"))?;
        let Ok(chunk) = frame.into_data() else { continue };
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(Refusal::too_large(MAX_BODY));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// Reads a refused body on and forgets it: closing on unread bytes would reset the connection, and the refusal with
/// it.
async fn drain(mut body: Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await
        && read < DRAIN
    {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}
