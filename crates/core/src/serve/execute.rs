//! `POST /api/v1/sandbox/execute` and `DELETE /api/v1/sandbox/sessions/{session_id}`.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::Response;
use http::header::ACCEPT;

use super::{Asking, Reply, nothing};
use crate::api::answer::check_json;
use crate::api::execute;
use crate::api::response::{event_stream, json_of, problem};
use crate::error::Error;
use crate::host::Host;
use crate::identity::Identity;
use crate::run::execute::{self as running, Ran, Run};
use crate::run::unanswered;
use crate::snapshot::Snapshot;
use crate::wire::sse;

/// Runs code: one object, or a stream of `started`, `stdout`, `stderr` and at last `outcome`, or `error` and nothing
/// after it.
pub async fn execute<H: Host>(
    host: H,
    snapshot: Arc<Snapshot>,
    identity: Identity,
    asking: Asking,
) -> Result<Response<Reply<impl Stream<Item = Bytes> + use<H>>>, Error> {
    check_json(&asking.headers)?;
    let config = snapshot.config();
    let most = config.code(&identity.tenant)?;
    let request = execute::read(&asking.body, &config.sandbox.limits, &most)?;
    let accepts = asking.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let stream = request.stream || accepts.contains("text/event-stream");
    let (trace, language) = (asking.trace.id().to_owned(), request.execution.language.clone());
    let run = Run {
        identity,
        trace: trace.clone(),
        execution: request.execution,
        session: request.session,
        inside: false,
        detached: false,
    };
    if !stream {
        let outcome = running::whole(host, snapshot, run).await?;
        return Ok(json_of(200, &execute::answer(outcome, &language, &trace)).map(Reply::Whole));
    }
    let mut ran = Box::pin(running::execute(host, snapshot, run));
    // A failure before the first thing that is said has a status of its own.
    let first = match ran.next().await {
        None => return Err(unanswered()),
        Some(Ran::Ended(Err(error))) => return Err(error),
        Some(first) => first,
    };
    let telling = Telling { ran, first: Some(first), language, trace };
    let body = stream::unfold(telling, |mut it| async move { it.next().await.map(|bytes| (bytes, it)) });
    Ok(event_stream(Reply::Stream(body)))
}

struct Telling<S> {
    ran: Pin<Box<S>>,
    first: Option<Ran>,
    language: String,
    trace: String,
}

impl<S: Stream<Item = Ran>> Telling<S> {
    async fn next(&mut self) -> Option<Bytes> {
        let ran = match self.first.take() {
            Some(first) => first,
            None => self.ran.next().await?,
        };
        let text = |text: String| serde_json::json!({"text": text});
        Some(match ran {
            Ran::Started => sse::named("started", &execute::started(&self.language, &self.trace)),
            Ran::Stdout(piece) => sse::named("stdout", &text(piece)),
            Ran::Stderr(piece) => sse::named("stderr", &text(piece)),
            Ran::Ended(Ok(outcome)) => {
                sse::named("outcome", &execute::answer(outcome, &self.language, &self.trace))
            }
            Ran::Ended(Err(error)) => sse::named("error", &problem(&error, &self.trace)),
        })
    }
}

/// Ends a session. One that there is not is no error.
pub async fn forget<H: Host>(host: &H, identity: &Identity, name: &str) -> Result<Response<Bytes>, Error> {
    running::forget(host, identity, name).await?;
    Ok(nothing())
}
