//! Detached runs: begin, look, follow, end.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use http::Response;
use serde_json::{Value, json};

use super::pace::Pace;
use super::{Asking, Reply, no_task, task_id};
use crate::api::answer::{self, Options};
use crate::api::response::{event_stream, json_of, problem};
use crate::api::{platform, reports};
use crate::error::{Error, Kind};
use crate::host::{Host, Time};
use crate::identity::{Identity, Tenant};
use crate::modes::Program;
use crate::route;
use crate::run::checkpoint::{self, Checkpoint, Status};
use crate::run::detached::{self, Loaded};
use crate::snapshot::Snapshot;
use crate::trace;
use crate::wire::sse;

/// How long one connection follows a task; then it ends and the client comes back with `Last-Event-ID`.
const FOLLOW: Duration = Duration::from_secs(55);
/// Between two looks, at most.
const LOOK: Duration = Duration::from_secs(2);
/// How often a write that lost a race is tried again.
const TRIES: usize = 5;

/// `POST /api/v1/tasks`: 202 with the task's id.
pub async fn create<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    identity: &Identity,
    asking: &Asking,
) -> Result<Response<Bytes>, Error> {
    answer::check_json(&asking.headers)?;
    let flags = snapshot.config().flags(&identity.tenant);
    let options = Options::read(snapshot.config(), &identity.tenant, &flags, &asking.headers)?;
    let request = platform::read(&asking.body)?;
    // Planned now so that a bad name is the caller's error, and again at each step.
    route::plan(snapshot.config(), &options.wish(request.model.as_deref()))?;
    let tenant = &identity.tenant;
    let program = request.program(&flags);
    if matches!(program, Program::Code(_)) {
        snapshot.config().code(tenant)?;
    }
    let mut run = Checkpoint {
        id: trace::id(asking.now, host.random()),
        trace: asking.trace.id().to_owned(),
        key: identity.key.clone(),
        status: Status::Queued,
        step: 0,
        attempt: 0,
        claimed: Time::default(),
        program,
        targets: options.targets,
        model: request.model,
        created: asking.now,
        updated: asking.now,
        tokens: 0,
        result: None,
        error: None,
    };
    let version = detached::save(host, snapshot, tenant, 0, &run).await?;
    if let Err(error) = host.enqueue(&detached::message(tenant, &run.id), Duration::ZERO).await {
        run.status = Status::Failed;
        run.error = Some("the queue did not take the task".to_owned());
        detached::save(host, snapshot, tenant, version.unwrap_or(0), &run).await?;
        return Err(Error::new(Kind::Unavailable, format!("the queue did not take the task: {error}")));
    }
    Ok(json_of(202, &reports::task(&run)))
}

/// `GET /api/v1/tasks/{id}`.
pub async fn read<H: Host>(host: &H, tenant: &Tenant, id: &str) -> Result<Response<Bytes>, Error> {
    let Loaded { run, .. } = detached::load(host, tenant, task_id(id)?).await?.ok_or_else(no_task)?;
    Ok(json_of(200, &reports::task(&run)))
}

/// `DELETE /api/v1/tasks/{id}`: no further step begins; an ask under way is finished and paid for.
pub async fn cancel<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    tenant: &Tenant,
    id: &str,
) -> Result<Response<Bytes>, Error> {
    for _ in 0..TRIES {
        let Loaded { version, mut run } =
            detached::load(host, tenant, task_id(id)?).await?.ok_or_else(no_task)?;
        if run.status == Status::Cancelled {
            return Ok(json_of(200, &reports::task(&run)));
        }
        if run.status.is_over() {
            return Err(Error::new(Kind::Conflict, "the task is already over"));
        }
        run.status = Status::Cancelled;
        run.updated = host.now();
        if detached::save(host, snapshot, tenant, version, &run).await?.is_some() {
            return Ok(json_of(200, &reports::task(&run)));
        }
    }
    Err(Error::new(Kind::Unavailable, "the task is changing too fast; try again"))
}

/// `GET /api/v1/tasks/{id}/events`: a `progress` a step, then `result` and `end`, or `error` and nothing after it.
pub async fn events<H: Host>(
    host: H,
    identity: Identity,
    asking: &Asking,
    id: &str,
) -> Result<Response<Reply<impl Stream<Item = Bytes> + use<H>>>, Error> {
    let id = task_id(id)?.to_owned();
    detached::load(&host, &identity.tenant, &id).await?.ok_or_else(no_task)?;
    let last = asking.headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let follow = Follow {
        tenant: identity.tenant,
        after: last.unwrap_or_default().to_owned(),
        until: asking.now.plus(FOLLOW),
        pace: Pace::new(LOOK),
        over: false,
        host,
        id,
    };
    let body = stream::unfold(follow, |mut it| async move { it.next().await.map(|bytes| (bytes, it)) });
    Ok(event_stream(Reply::Stream(body)))
}

struct Follow<H> {
    host: H,
    tenant: Tenant,
    id: String,
    /// The last event that was sent.
    after: String,
    until: Time,
    pace: Pace,
    over: bool,
}

impl<H: Host> Follow<H> {
    async fn next(&mut self) -> Option<Bytes> {
        while !self.over {
            // The run first: a step that ends after this look shows its event at the next.
            let run = match detached::load(&self.host, &self.tenant, &self.id).await {
                Ok(run) => run.map(|loaded| loaded.run),
                Err(error) => return Some(self.fail(&error)),
            };
            let mut bytes = match self.progress().await {
                Ok(bytes) => bytes,
                Err(error) => return Some(self.fail(&error)),
            };
            match run {
                Some(run) if run.status.is_over() => {
                    self.over = true;
                    bytes.extend_from_slice(&last(&run));
                }
                Some(_) => {}
                None => bytes.extend_from_slice(&self.fail(&no_task())),
            }
            if !bytes.is_empty() {
                self.pace.found();
                return Some(bytes.freeze());
            }
            if self.host.now() >= self.until || self.pace.caller_left(&self.host).await {
                return None;
            }
        }
        None
    }

    async fn progress(&mut self) -> Result<BytesMut, Error> {
        let mut bytes = BytesMut::new();
        let log = checkpoint::events(&self.tenant, &self.id);
        for entry in self.host.scan(&log, &self.after, 100).await? {
            let data = String::from_utf8_lossy(&entry.value);
            bytes.extend_from_slice(&sse::numbered(&entry.id, "progress", &data));
            self.after = entry.id;
        }
        Ok(bytes)
    }

    fn fail(&mut self, error: &Error) -> Bytes {
        self.over = true;
        sse::named("error", &problem(error, &self.id))
    }
}

fn last(run: &Checkpoint) -> Bytes {
    if run.status != Status::Complete {
        let why = match run.status {
            Status::Cancelled => "the task was cancelled",
            _ => run.error.as_deref().unwrap_or("the task failed"),
        };
        return sse::named("error", &problem(&Error::new(Kind::Upstream, why), &run.trace));
    }
    let mut result = json!({
        "response": run.result,
        "trace_id": run.trace,
        "mode": run.program.mode(),
        "tokens_used": run.tokens,
    });
    if let (Some(result), Some(Value::Object(made))) = (result.as_object_mut(), run.program.made()) {
        result.extend(made);
    }
    let mut bytes = BytesMut::new();
    bytes.extend_from_slice(&sse::named("result", &result));
    bytes.extend_from_slice(&sse::named("end", &json!({"status": "complete"})));
    bytes.freeze()
}
