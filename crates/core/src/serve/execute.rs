//! `POST /api/v1/sandbox/execute` and `DELETE /api/v1/sandbox/sessions/{session_id}`.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::Response;
use http::header::ACCEPT;
use serde_json::{Value, json};

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
    let telling = Telling { ran, first: Some(first), language, trace, errors: String::new() };
    let body = stream::unfold(telling, |mut it| async move { it.next().await.map(|bytes| (bytes, it)) });
    Ok(event_stream(Reply::Stream(body)))
}

struct Telling<S> {
    ran: Pin<Box<S>>,
    first: Option<Ran>,
    language: String,
    trace: String,
    /// The end of what it wrote to standard error: why it failed, where it did.
    errors: String,
}

/// As many bytes of it at least.
const ERRORS: usize = 1_024;

impl<S: Stream<Item = Ran>> Telling<S> {
    async fn next(&mut self) -> Option<Bytes> {
        let ran = match self.first.take() {
            Some(first) => first,
            None => self.ran.next().await?,
        };
        let text = |text: String| json!({"text": text});
        Some(match ran {
            Ran::Started => sse::named("started", &execute::started(&self.language, &self.trace)),
            Ran::Stdout(piece) => sse::named("stdout", &text(piece)),
            Ran::Stderr(piece) => {
                self.errors.push_str(&piece);
                let more = self.errors.len().saturating_sub(ERRORS);
                self.errors.drain(..self.errors.floor_char_boundary(more));
                sse::named("stderr", &text(piece))
            }
            Ran::Ended(Ok(mut outcome)) => {
                // Said already: it is there for its last line alone.
                let errors = std::mem::take(&mut self.errors);
                set_stderr(&mut outcome, errors);
                let mut answer = execute::answer(outcome, &self.language, &self.trace);
                set_stderr(&mut answer, String::new());
                sse::named("outcome", &answer)
            }
            Ran::Ended(Err(error)) => sse::named("error", &problem(&error, &self.trace)),
        })
    }
}

fn set_stderr(outcome: &mut Value, text: String) {
    if let Some(outcome) = outcome.as_object_mut() {
        outcome.insert("stderr".to_owned(), text.into());
    }
}

/// Ends a session. One that there is not is no error.
pub async fn forget<H: Host>(host: &H, identity: &Identity, name: &str) -> Result<Response<Bytes>, Error> {
    running::forget(host, identity, name).await?;
    Ok(nothing())
}
