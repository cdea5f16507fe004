//! The server: a request within its bounds, signed, for this function and a tenant; and its answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use opencode_core::sandbox::{Isolation, Status};
use opencode_core::wire::aws::event_stream::{CONTENT_TYPE, Message};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use super::FUNCTION;
use super::pool::{Invocation, Pool, Refusal};
use super::relay::{Asked, Relay, joined};
use super::runtime_api::Part;
use super::signature::{Secret, header};
use crate::serve::runtime::MAX_EVENT;

/// Connections at once; the next ones wait in the system's backlog.
const CONNECTIONS: usize = 256;
/// How long a client may take to send a head, and a body.
const HEAD: Duration = Duration::from_secs(10);
const BODY: Duration = Duration::from_secs(60);
/// Bytes of a head.
const HEAD_BYTES: usize = 64 * 1024;
/// Payload bytes of one message of a streamed answer.
const CHUNK: usize = 64 * 1024;
/// Messages that wait for a slow reader.
const MESSAGES: usize = 16;
/// The pause after a failed accept: the process is out of file descriptors, most likely.
const BREATHER: Duration = Duration::from_millis(50);

/// What every connection needs.
pub struct Served {
    /// The environments.
    pub pool: Arc<Pool>,
    /// What requests are signed with.
    pub secret: Secret,
    /// `127.0.0.1:4000`: the only `Host` that is answered.
    pub host: String,
    /// What protects a run here.
    pub isolation: Isolation,
}

/// Serves until the future is dropped.
pub async fn run(listener: TcpListener, served: Arc<Served>) {
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

async fn connection(stream: TcpStream, served: Arc<Served>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let served = Arc::clone(&served);
        async move { Ok::<_, Infallible>(respond(&served, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn respond(served: &Arc<Served>, request: Request<Incoming>) -> Response<Pieces> {
    let (parts, body) = request.into_parts();
    let answered = match admit(served, &parts, body).await {
        Ok(invoke) => invoke.answer(served).await,
        Err(refusal) => Err(refusal),
    };
    answered.unwrap_or_else(Refused::response)
}

/// A request that may run something.
struct Invoke {
    tenant: String,
    event: Bytes,
    stream: bool,
}

async fn admit(served: &Served, parts: &Parts, body: Incoming) -> Result<Invoke, Refused> {
    if header(&parts.headers, "host") != Some(served.host.as_str()) {
        return Err(Refused(403, "AccessDeniedException", "this is not the host that was asked for".into()));
    }
    // A stranger's body is not even read.
    let known = header(&parts.headers, "authorization").is_some_and(|said| said.contains(&served.secret.id));
    if !known {
        return Err(Refused(403, "MissingAuthenticationTokenException", "the request is not signed".into()));
    }
    let path: Vec<_> = parts.uri.path().split('/').collect();
    let stream = match (&parts.method, path.as_slice()) {
        (&Method::POST, ["", "2015-03-31", "functions", _, "invocations"]) => false,
        (&Method::POST, ["", "2021-11-15", "functions", _, "response-streaming-invocations"]) => true,
        _ => return Err(Refused(404, "UnknownOperationException", "there is no such operation here".into())),
    };
    let event = tokio::time::timeout(BODY, Limited::new(body, MAX_EVENT).collect()).await;
    let event = match event {
        Ok(Ok(event)) => event.to_bytes(),
        Ok(Err(_)) => {
            let why = format!("the event cannot be read, or has more than {MAX_EVENT} bytes");
            return Err(Refused(413, "RequestTooLargeException", why));
        }
        Err(_) => return Err(Refused(400, "InvalidRequestContentException", "the event is late".into())),
    };
    if !served.secret.signed(parts, &event) {
        return Err(Refused(403, "InvalidSignatureException", "the signature does not hold".into()));
    }
    if path.get(3) != Some(&FUNCTION) {
        return Err(Refused(404, "ResourceNotFoundException", "there is no such function here".into()));
    }
    let kind = header(&parts.headers, "x-amz-invocation-type");
    if !matches!(kind, None | Some("RequestResponse")) {
        let why = "only RequestResponse is an invocation here".into();
        return Err(Refused(400, "InvalidParameterValueException", why));
    }
    let tenant = header(&parts.headers, "x-amz-tenant-id").filter(|tenant| is_tenant(tenant));
    let tenant = tenant.ok_or_else(|| {
        let why = "the function keeps tenants apart: X-Amz-Tenant-Id must name one".into();
        Refused(400, "InvalidParameterValueException", why)
    })?;
    Ok(Invoke { tenant: tenant.to_owned(), event, stream })
}

/// As Lambda has it: 1 to 256 of these characters.
fn is_tenant(tenant: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/=+-@ ".contains(&byte);
    (1..=256).contains(&tenant.len()) && tenant.bytes().all(plain)
}

impl Invoke {
    async fn answer(self, served: &Arc<Served>) -> Result<Response<Pieces>, Refused> {
        let relay = Relay::new(Asked::read(&self.event), served.pool.seal());
        let lines = relay.streams();
        let invocation =
            served.pool.invoke(&self.tenant, self.event).await.map_err(|refusal| match refusal {
                Refusal::Throttled => Refused(
                    429,
                    "TooManyRequestsException",
                    "every environment is busy and enough wait".into(),
                ),
                Refusal::Broken(why) => Refused(500, "ServiceException", why),
            })?;
        let mut response = Response::builder()
            .header("x-amzn-requestid", &invocation.id)
            .header("x-amz-executed-version", "$LATEST");
        let mut answering = Answering { relay: Some(relay), invocation, isolation: served.isolation.clone() };
        let pieces = if self.stream {
            response = response.header("content-type", CONTENT_TYPE);
            let (sender, pieces) = mpsc::channel(MESSAGES);
            tokio::spawn(async move { answering.stream(&sender).await });
            Pieces { pieces: Some(pieces), whole: None }
        } else {
            response = response.header("content-type", "application/json");
            let mut whole = BytesMut::new();
            loop {
                match answering.next().await {
                    Next::Bytes(bytes) => whole.extend_from_slice(&bytes),
                    Next::End => {
                        if lines && let Some(object) = joined(&whole) {
                            whole = object.as_slice().into();
                        }
                        break;
                    }
                    Next::Failed(kind, report) => {
                        response = response.header("x-amz-function-error", "Unhandled");
                        whole.clear();
                        match report.is_empty() {
                            true => {
                                whole.extend_from_slice(json!({ "errorType": kind }).to_string().as_bytes())
                            }
                            false => whole.extend_from_slice(&report),
                        }
                        break;
                    }
                }
            }
            Pieces::whole(whole.freeze())
        };
        response.body(pieces).map_err(|error| Refused(500, "ServiceException", error.to_string()))
    }
}

/// An invocation whose answer is held against its seal.
struct Answering {
    /// `None` after the outcome.
    relay: Option<Relay>,
    invocation: Invocation,
    isolation: Isolation,
}

enum Next {
    Bytes(Bytes),
    End,
    Failed(String, Bytes),
}

impl Answering {
    /// What the caller is to get next.
    async fn next(&mut self) -> Next {
        loop {
            let Some(mut relay) = self.relay.take() else { return Next::End };
            match self.invocation.parts.recv().await {
                Some(Part::Data(bytes)) => {
                    let bytes = relay.push(&bytes);
                    self.relay = Some(relay);
                    if !bytes.is_empty() {
                        return Next::Bytes(bytes);
                    }
                }
                Some(Part::Failed(kind, report)) => return Next::Failed(kind, report),
                Some(Part::Done) => {
                    let streams = relay.streams();
                    return Next::Bytes(relay.end().unwrap_or_else(|_| {
                        self.invocation.state.doom("its answer is forged");
                        let why = "the code has answered in the sandbox's place";
                        Relay::without(streams, Status::Poisoned, why, &self.isolation)
                    }));
                }
                Some(Part::Lost(why)) => {
                    let why = format!("the sandbox's environment is lost: {why}");
                    let streams = relay.streams();
                    return Next::Bytes(Relay::without(streams, Status::SandboxLost, &why, &self.isolation));
                }
                None => {
                    let why = "the sandbox is shutting down";
                    return Next::Bytes(Relay::without(
                        relay.streams(),
                        Status::SandboxLost,
                        why,
                        &self.isolation,
                    ));
                }
            }
        }
    }

    /// As messages of an event stream.
    async fn stream(&mut self, messages: &mpsc::Sender<Bytes>) {
        let complete = loop {
            match self.next().await {
                Next::Bytes(bytes) => {
                    for chunk in bytes.chunks(CHUNK) {
                        let message = Message::event("PayloadChunk", Bytes::copy_from_slice(chunk));
                        // A caller that has gone does not stop the run.
                        let _ = messages.send(message.encode().unwrap_or_default().into()).await;
                    }
                }
                Next::End => break json!({}),
                Next::Failed(kind, report) => {
                    let details = String::from_utf8_lossy(&report).into_owned();
                    break json!({ "ErrorCode": kind, "ErrorDetails": details });
                }
            }
        };
        let mut message = Message::event("InvokeComplete", complete.to_string().into());
        for (name, value) in &mut message.headers {
            if name == ":content-type" {
                *value = "application/json".to_owned();
            }
        }
        let _ = messages.send(message.encode().unwrap_or_default().into()).await;
    }
}

/// A status, the error's type as AWS calls it, and a sentence.
struct Refused(u16, &'static str, String);

impl Refused {
    fn response(self) -> Response<Pieces> {
        let Self(status, kind, why) = self;
        let mut body = json!({ "Type": "User", "message": why });
        if status == 429 {
            body["Reason"] = "ConcurrentInvocationLimitExceeded".into();
        }
        let mut response = Response::new(Pieces::whole(body.to_string().into()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(kind));
        // What was not read of the request is not read any more.
        headers.insert("connection", HeaderValue::from_static("close"));
        response
    }
}

/// A response's body: whole, or in pieces as they come.
struct Pieces {
    whole: Option<Bytes>,
    pieces: Option<mpsc::Receiver<Bytes>>,
}

impl Pieces {
    fn whole(bytes: Bytes) -> Self {
        Self { whole: Some(bytes), pieces: None }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(whole) = self.whole.take() {
            return Poll::Ready(Some(Ok(Frame::data(whole))));
        }
        match &mut self.pieces {
            Some(pieces) => pieces.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece)))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.whole.is_none() && self.pieces.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::is_tenant;

    #[test]
    fn tenants_are_named_as_lambda_has_it() {
        for tenant in ["a", "acme.example:1/b=+-@ c", &"x".repeat(256)] {
            assert!(is_tenant(tenant), "{tenant}");
        }
        for tenant in ["", "é", "a\tb", "a;b", &"x".repeat(257)] {
            assert!(!is_tenant(tenant), "{tenant}");
        }
    }
}
