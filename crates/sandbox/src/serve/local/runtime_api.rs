//! The Runtime API of one environment, as Lambda has it: while an invocation runs, `/next` gives the same event again to
//! whoever asks, and the first answer counts.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opencode_core::sandbox::Isolation;
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::FUNCTION;
use crate::serve::runtime::NOTE;

const BASE: &str = "/2018-06-01/runtime/";
/// Connections of one environment at once; code may open as many as it likes.
const CONNECTIONS: usize = 32;
/// Bytes of an answer in all: as Lambda streams it.
const ANSWER: u64 = 200_000_000;
/// Bytes of a report of an error.
const REPORT: usize = 64 * 1024;

/// An invocation for an environment.
pub struct Job {
    /// What its Runtime API has to know.
    pub call: Call,
    /// Its place among the environments, held until nothing of it runs any more.
    pub permit: OwnedSemaphorePermit,
}

/// An invocation as the Runtime API has it.
pub struct Call {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// What was sent.
    pub event: Bytes,
    /// When the environment is ended, in milliseconds since 1970.
    pub deadline: u64,
    /// Where its answer goes.
    pub parts: mpsc::Sender<Part>,
}

/// A part of an answer.
#[derive(Debug)]
pub enum Part {
    /// Bytes of it.
    Data(Bytes),
    /// Its end.
    Done,
    /// The environment could not handle the event: the error's kind, and its report.
    Failed(String, Bytes),
    /// The environment is gone.
    Lost(&'static str),
}

/// What is known of an environment.
#[derive(Default)]
pub struct State {
    inner: Mutex<Inner>,
    changes: watch::Sender<()>,
}

#[derive(Default)]
struct Inner {
    ready: bool,
    refused: Option<String>,
    isolation: Option<Isolation>,
    running: Option<Running>,
    doomed: Option<&'static str>,
    /// Its answer has broken off.
    torn: bool,
}

impl Inner {
    fn has_answered(&self) -> bool {
        self.running.as_ref().is_none_or(|running| running.answer == Answer::Complete)
    }
}

struct Running {
    call: Call,
    answer: Answer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Awaited,
    Begun,
    Complete,
}

impl State {
    /// Waits until it has asked for its first event: what protects its runs. The error is why it cannot.
    pub async fn ready(&self) -> Result<Option<Isolation>, String> {
        self.until(|inner| match &inner.refused {
            Some(why) => Some(Err(why.clone())),
            None => inner.ready.then(|| Ok(inner.isolation.clone())),
        })
        .await
    }

    /// Hands an invocation over.
    pub fn begin(&self, call: Call) {
        self.change(|inner| inner.running = Some(Running { call, answer: Answer::Awaited }));
    }

    /// Waits until it has asked for another event after its answer.
    pub async fn free(&self) {
        self.until(|inner| inner.running.is_none().then_some(())).await;
    }

    /// Waits until the answer is complete.
    pub async fn answered(&self) {
        self.until(|inner| inner.has_answered().then_some(())).await;
    }

    /// Whether the answer is complete.
    pub fn is_answered(&self) -> bool {
        self.inner().has_answered()
    }

    /// Waits until what a dead environment has said is read to its end.
    pub async fn read(&self) {
        let reading = |running: &Running| running.answer == Answer::Begun;
        self.until(|inner| (inner.torn || !inner.running.as_ref().is_some_and(reading)).then_some(())).await;
    }

    /// The end of an invocation that was not answered.
    pub fn give_up(&self) -> Option<Call> {
        self.change(|inner| inner.running.take()).map(|running| running.call)
    }

    /// Says that it must be ended, and why.
    pub fn doom(&self, why: &'static str) {
        self.change(|inner| inner.doomed = inner.doomed.or(Some(why)));
    }

    /// Waits until it must be ended.
    pub async fn doomed(&self) -> &'static str {
        self.until(|inner| inner.doomed).await
    }

    async fn until<T>(&self, mut look: impl FnMut(&mut Inner) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(found) = look(&mut self.inner()) {
                return found;
            }
            // The sender is ours.
            let _ = changes.changed().await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let changed = change(&mut self.inner());
        self.changes.send_replace(());
        changed
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves an environment until the future is dropped; its connections end with it.
pub async fn serve(listener: UnixListener, state: Arc<State>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        // The semaphore is never closed, so there is always a permit.
        let permit = Arc::clone(&room).acquire_owned().await.ok();
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(|request| {
                let state = Arc::clone(&state);
                async move { Ok::<_, Infallible>(respond(&state, request).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            drop(permit);
        });
    }
}

async fn respond(state: &State, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix(BASE).unwrap_or_default().to_owned();
    match (&parts.method, path.strip_prefix("invocation/").and_then(|rest| rest.split_once('/'))) {
        (&Method::GET, None) if path == "invocation/next" => next(state, &parts.headers).await,
        (&Method::POST, Some((id, "response"))) => response(state, id, body).await,
        (&Method::POST, Some((id, "error"))) => error(state, id, &parts.headers, body).await,
        (&Method::POST, None) if path == "init/error" => init_error(state, body).await,
        _ => refuse(StatusCode::NOT_FOUND, "NotFound"),
    }
}

async fn next(state: &State, headers: &HeaderMap) -> Response<Full<Bytes>> {
    state.change(|inner| {
        if !inner.ready {
            // Nothing has run yet, so nothing but the sandbox can have said this.
            let note = headers.get(NOTE).map(http::HeaderValue::as_bytes).unwrap_or_default();
            inner.isolation = serde_json::from_slice(note).ok();
            inner.ready = true;
        }
        if inner.running.as_ref().is_some_and(|running| running.answer == Answer::Complete) {
            inner.running = None;
        }
    });
    state
        .until(|inner| {
            let running = inner.running.as_ref().filter(|running| running.answer != Answer::Complete)?;
            let call = &running.call;
            let arn = format!("arn:aws:lambda:local:000000000000:function:{FUNCTION}");
            Response::builder()
                .header("content-type", "application/json")
                .header("lambda-runtime-aws-request-id", &call.id)
                .header("lambda-runtime-deadline-ms", call.deadline)
                .header("lambda-runtime-invoked-function-arn", arn)
                .header("lambda-runtime-aws-tenant-id", &call.tenant)
                .body(Full::new(call.event.clone()))
                .ok()
        })
        .await
}

/// The right to answer, for whoever asks for it first.
fn claim(state: &State, id: &str) -> Result<mpsc::Sender<Part>, (StatusCode, &'static str)> {
    state.change(|inner| {
        let running = inner.running.as_mut().filter(|running| running.call.id == id);
        let running = running.ok_or((StatusCode::BAD_REQUEST, "InvalidRequestID"))?;
        if running.answer != Answer::Awaited {
            return Err((StatusCode::FORBIDDEN, "InvalidStateTransition"));
        }
        running.answer = Answer::Begun;
        Ok(running.call.parts.clone())
    })
}

async fn response(state: &State, id: &str, mut body: Incoming) -> Response<Full<Bytes>> {
    let parts = match claim(state, id) {
        Ok(parts) => parts,
        Err((status, kind)) => {
            drain(body).await;
            return refuse(status, kind);
        }
    };
    let (mut total, mut failed) = (0, None);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            state.change(|inner| inner.torn = true);
            state.doom("its answer broke off");
            return refuse(StatusCode::BAD_REQUEST, "Truncated");
        };
        match frame.into_data() {
            Ok(data) => {
                total += data.len() as u64;
                if total > ANSWER {
                    state.doom("its answer is too long");
                    return refuse(StatusCode::PAYLOAD_TOO_LARGE, "Function.ResponseSizeTooLarge");
                }
                // A caller that has gone does not stop the run.
                let _ = parts.send(Part::Data(data)).await;
            }
            Err(frame) => {
                let kind = frame
                    .trailers_ref()
                    .and_then(|trailers| trailers.get("lambda-runtime-function-error-type"));
                failed = kind.map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
            }
        }
    }
    complete(state, &parts, failed.map_or(Part::Done, |kind| Part::Failed(kind, Bytes::new()))).await
}

async fn error(state: &State, id: &str, headers: &HeaderMap, body: Incoming) -> Response<Full<Bytes>> {
    let parts = match claim(state, id) {
        Ok(parts) => parts,
        Err((status, kind)) => {
            drain(body).await;
            return refuse(status, kind);
        }
    };
    let kind = headers.get("lambda-runtime-function-error-type").map(http::HeaderValue::as_bytes);
    let kind = String::from_utf8_lossy(kind.unwrap_or(b"Unhandled")).into_owned();
    let report = report(body).await;
    complete(state, &parts, Part::Failed(kind, report)).await
}

async fn complete(state: &State, parts: &mpsc::Sender<Part>, last: Part) -> Response<Full<Bytes>> {
    let _ = parts.send(last).await;
    state.change(|inner| {
        if let Some(running) = &mut inner.running {
            running.answer = Answer::Complete;
        }
    });
    accepted()
}

async fn init_error(state: &State, body: Incoming) -> Response<Full<Bytes>> {
    let report = report(body).await;
    let read: serde_json::Value = serde_json::from_slice(&report).unwrap_or_default();
    let why = read["errorMessage"].as_str().unwrap_or("it does not say why").to_owned();
    state.change(|inner| {
        if inner.ready {
            return refuse(StatusCode::FORBIDDEN, "InvalidStateTransition");
        }
        inner.refused = Some(why);
        accepted()
    })
}

/// Reads a refused body and forgets it: closing on unread bytes would reset the connection, and the refusal with it.
async fn drain(mut body: Incoming) {
    let mut total = 0;
    while let Some(Ok(frame)) = body.frame().await
        && total < ANSWER
    {
        total += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
}

async fn report(body: Incoming) -> Bytes {
    Limited::new(body, REPORT).collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default()
}

fn accepted() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(br#"{"status":"OK"}"#)));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn refuse(status: StatusCode, kind: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "errorType": kind, "errorMessage": kind }).to_string();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}
