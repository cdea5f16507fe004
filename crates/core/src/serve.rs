//! One HTTP request, straight through: route, caller, body, answer.

mod answers;
mod books;
mod config;
pub(crate) mod current;
mod execute;
mod health;
mod identify;
mod keys;
mod pace;
mod streams;
mod tasks;

pub(crate) use answers::is_answer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::future::Either;
use http::header::HeaderMap;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Uri};

use crate::api::routes::{Access, Handler, Row, Takes};
use crate::api::{self, cors, extras, response};
use crate::error::{Error, Kind};
use crate::host::{Host, Time};
use crate::identity::Identity;
use crate::isolate::Isolate;
use crate::snapshot::Snapshot;
use crate::trace::{self, Trace};

/// The body of an answer.
pub enum Reply<S> {
    /// Known in full: it has a length.
    Whole(Bytes),
    /// Streamed. The host writes each item at once and polls to the end even when the caller has left.
    Stream(S),
}

/// A request that is worth reading: its route exists and its caller may call it.
pub struct Admitted {
    row: &'static Row,
    /// What stands where the route has a name in braces.
    id: String,
    identity: Option<Identity>,
    snapshot: Arc<Snapshot>,
    asking: Asking,
    origin: Option<HeaderValue>,
}

/// A request on its way through.
struct Asking {
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    trace: Trace,
    now: Time,
}

/// Decides on a request by its head alone. Hosts ask before they buffer a body, so that strangers cannot fill their
/// memory. `Err` is the response to a request whose body need not be read.
pub async fn admit<H: Host>(
    host: &H,
    isolate: &Isolate,
    parts: Parts,
) -> Result<Admitted, Box<Response<Bytes>>> {
    let now = host.now();
    let trace = Trace::of(&parts.headers, now, host.random());
    let snapshot = current::snapshot(host, isolate).await;
    let origin = cors::allowed(&snapshot.config().cors, &parts.headers);
    let path = parts.uri.path();
    if let (true, Some(origin)) = (cors::is_preflight(&parts.method, &parts.headers), &origin) {
        let mut response = nothing();
        cors::preflight(response.headers_mut());
        finish(response.headers_mut(), host, &trace, Some(origin.clone()));
        return Err(Box::new(response));
    }
    let admitted = async {
        let (row, id) = api::find(&parts.method, path)?;
        let identity = match row.access {
            Access::Open => None,
            Access::From(_) if !isolate.is_certain() => {
                let detail = "the configuration could not be looked for yet; try again";
                return Err(Error::new(Kind::Unavailable, detail));
            }
            Access::From(role) => {
                let identity = identify::caller(host, &snapshot, &parts.headers, now).await?;
                identify::require(&identity, role)?;
                Some(identity)
            }
        };
        Ok((row, id.unwrap_or_default().into_owned(), identity))
    };
    match admitted.await {
        Ok((row, id, identity)) => {
            let asking = Asking { uri: parts.uri, headers: parts.headers, body: Bytes::new(), trace, now };
            Ok(Admitted { row, id, identity, snapshot, asking, origin })
        }
        Err(error) => {
            let mut response = response::error(api::surface(path), &error, trace.id());
            finish(response.headers_mut(), host, &trace, origin);
            Err(Box::new(response))
        }
    }
}

impl Admitted {
    /// The largest body that is read, in bytes: little of strangers and of those who have nothing to send.
    pub fn max_body(&self) -> usize {
        let small = self.row.access == Access::Open || self.row.takes == Takes::Nothing;
        if small { SMALL.min(self.snapshot.max_body()) } else { self.snapshot.max_body() }
    }

    /// Whether the answer may have to outlive its caller: a host whose requests end with their callers hands such a
    /// request to someone who does not.
    pub fn outlives_its_caller(&self, body: &[u8]) -> bool {
        let flags = self.identity.as_ref().map(|it| self.snapshot.config().flags(&it.tenant));
        is_answer(self.row.handler)
            && flags.is_some_and(|flags| extras::may_resume(&self.asking.headers, body, &flags))
    }

    /// The answer to a request whose body the host could not read.
    pub fn refuse<H: Host>(&self, host: &H, error: &Error) -> Response<Bytes> {
        let trace = &self.asking.trace;
        let mut response = response::error(api::surface(self.asking.uri.path()), error, trace.id());
        finish(response.headers_mut(), host, trace, self.origin.clone());
        response
    }
}

/// See [`Admitted::max_body`].
pub const SMALL: usize = 16 * 1024;

/// A body that exceeds [`Admitted::max_body`].
pub fn too_large(limit: usize) -> Error {
    Error::new(Kind::TooLarge, format!("the request's body is larger than {limit} bytes"))
}

/// Answers one request.
pub async fn serve<H: Host>(
    host: H,
    admitted: Admitted,
    body: Bytes,
) -> Response<Reply<impl Stream<Item = Bytes> + use<H>>> {
    let Admitted { row, id, identity, snapshot, asking, origin } = admitted;
    let surface = api::surface(asking.uri.path());
    let trace = asking.trace.clone();
    let asking = Asking { body, ..asking };
    let mut response = match dispatch(host.clone(), snapshot, row.handler, identity, asking, &id).await {
        Ok(response) => response,
        Err(error) => response::error(surface, &error, trace.id()).map(Reply::Whole),
    };
    finish(response.headers_mut(), &host, &trace, origin);
    response
}

/// The answer to a request whose head the host could not read, in its surface's error shape.
pub fn refuse<H: Host>(host: &H, uri: &Uri, error: &Error) -> Response<Bytes> {
    let trace = Trace::of(&HeaderMap::new(), host.now(), host.random());
    let mut response = response::error(api::surface(uri.path()), error, trace.id());
    finish(response.headers_mut(), host, &trace, None);
    response
}

/// What every response carries.
fn finish<H: Host>(headers: &mut HeaderMap, host: &H, trace: &Trace, origin: Option<HeaderValue>) {
    response::set(headers, response::TRACE, trace.id());
    response::set(headers, response::REQUEST, trace.id());
    response::set(headers, response::REQUEST_ANTHROPIC, trace.id());
    trace.write(headers, host.random());
    if let Some(origin) = origin {
        cors::open(headers, origin);
    }
}

async fn dispatch<H: Host>(
    host: H,
    snapshot: Arc<Snapshot>,
    handler: Handler,
    identity: Option<Identity>,
    asking: Asking,
    id: &str,
) -> Result<Response<Reply<impl Stream<Item = Bytes> + use<H>>>, Error> {
    let whole = |response: Response<Bytes>| Ok(response.map(Reply::Whole));
    let Some(identity) = identity else {
        return whole(match handler {
            Handler::Root => health::root(),
            Handler::Health => health::health(),
            Handler::Status => health::status(&snapshot),
            Handler::Ready => health::ready(&host, &snapshot).await,
            Handler::OpenApi => response::json_of(200, &api::document(snapshot.max_body())),
            Handler::Token => keys::token(&host, &snapshot, &asking).await?,
            _ => return Err(identify::missing()),
        });
    };
    let tenant = &identity.tenant;
    let longest = Duration::from_millis(snapshot.config().deadlines.whole_ms);
    whole(match handler {
        handler if is_answer(handler) => {
            return Ok(left(answers::answer(host, snapshot, identity, asking, handler, id).await?));
        }
        Handler::CountTokens => answers::count_tokens(&asking)?,
        Handler::Execute => {
            return Ok(right(right(right(right(execute::execute(host, snapshot, identity, asking).await?)))));
        }
        Handler::SessionRemove => execute::forget(&host, &identity, id).await?,
        Handler::TaskEvents => return Ok(right(left(tasks::events(host, identity, &asking, id).await?))),
        Handler::StreamFollow => {
            return Ok(right(right(left(streams::stream(host, identity, &asking, longest, id).await?))));
        }
        Handler::ResponseFollow => {
            let answer = streams::answer(host, identity, &asking, longest, id).await?;
            return Ok(right(right(right(left(answer)))));
        }
        Handler::TaskCreate => tasks::create(&host, &snapshot, &identity, &asking).await?,
        Handler::TaskRead => tasks::read(&host, tenant, id).await?,
        Handler::TaskCancel => tasks::cancel(&host, &snapshot, tenant, id).await?,
        Handler::Models => books::models(&snapshot),
        Handler::Model => books::model(&snapshot, id)?,
        Handler::Receipts => books::receipts(&host, tenant, &asking).await?,
        Handler::DeadLetters => books::dead_letters(&host, tenant, &asking).await?,
        Handler::Usage => books::usage(&host, tenant).await?,
        Handler::Metrics => books::metrics(&host, &snapshot, tenant).await?,
        Handler::KeyList => keys::list(&host, &identity, &asking).await?,
        Handler::KeyCreate => keys::create(&host, &snapshot, &identity, &asking).await?,
        Handler::KeyRevoke => keys::revoke(&host, &snapshot, &identity, &asking, id).await?,
        Handler::ConfigRead => config::read(&host).await?,
        Handler::ConfigWrite => config::write(&host, &snapshot, &identity, &asking).await?,
        Handler::ConfigRemove => config::remove(&host).await?,
        Handler::Planned => {
            let detail = format!("{} is planned and not built yet", asking.uri.path());
            return Err(Error::new(Kind::Planned, detail));
        }
        _ => return Err(Error::new(Kind::Internal, "this route takes no credential")),
    })
}

/// 204.
fn nothing() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A task's id, as a caller wrote it.
fn task_id(id: &str) -> Result<&str, Error> {
    let sound = trace::time_of(id).is_some() && id.len() == 26;
    if sound { Ok(id) } else { Err(no_task()) }
}

fn no_task() -> Error {
    Error::new(Kind::NotFound, "there is no task of this id: it may have expired, or it is another tenant's")
}

fn left<A, B>(response: Response<Reply<A>>) -> Response<Reply<Either<A, B>>> {
    response.map(|reply| match reply {
        Reply::Whole(bytes) => Reply::Whole(bytes),
        Reply::Stream(stream) => Reply::Stream(Either::Left(stream)),
    })
}

fn right<A, B>(response: Response<Reply<B>>) -> Response<Reply<Either<A, B>>> {
    response.map(|reply| match reply {
        Reply::Whole(bytes) => Reply::Whole(bytes),
        Reply::Stream(stream) => Reply::Stream(Either::Right(stream)),
    })
}
