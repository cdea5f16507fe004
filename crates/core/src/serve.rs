//! One HTTP request, straight through: route, caller, body, answer.

mod answers;
mod books;
mod health;
mod tasks;

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use futures::future::Either;
use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use http::{Request, Response, Uri};

use crate::api::{self, Handler, response};
use crate::error::{Error, Kind};
use crate::host::{Host, Time};
use crate::identity::key::{self, Identity, SECRET_NAME};
use crate::isolate::Isolate;
use crate::trace;

/// The largest request body, in bytes. A host stops reading there and answers with [`refuse`]. Lambda takes 6 MB
/// with base64's third on top.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// The body of an answer.
pub enum Reply<S> {
    /// Known in full: it has a length.
    Whole(Bytes),
    /// Streamed. The host writes each item at once and polls to the end even when the caller has left.
    Stream(S),
}

/// Answers one request.
pub async fn serve<H: Host>(
    host: H,
    isolate: Arc<Isolate>,
    request: Request<Bytes>,
) -> Response<Reply<impl Stream<Item = Bytes> + use<H>>> {
    let now = host.now();
    let trace = trace::id(now, host.random());
    let (parts, body) = request.into_parts();
    let surface = api::surface(parts.uri.path());
    let asking = Asking { uri: parts.uri, headers: parts.headers, body, trace: trace.clone(), now };
    let mut response = match dispatch(host, isolate, &parts.method, asking).await {
        Ok(response) => response,
        Err(error) => response::error(surface, &error, &trace).map(Reply::Whole),
    };
    response::set(response.headers_mut(), response::TRACE, &trace);
    response
}

/// Whether a request is worth reading: its route exists and its caller is known. Hosts ask before they buffer a body,
/// so that strangers cannot fill their memory.
pub fn admit<H: Host>(host: &H, isolate: &Isolate, parts: &Parts) -> Result<(), Box<Response<Bytes>>> {
    let admitted = api::find(&parts.method, parts.uri.path()).and_then(|(row, _)| {
        if row.keyed { identify(host, isolate, &parts.headers).map(|_| ()) } else { Ok(()) }
    });
    admitted.map_err(|error| {
        let trace = trace::id(host.now(), host.random());
        let mut response = response::error(api::surface(parts.uri.path()), &error, &trace);
        response::set(response.headers_mut(), response::TRACE, &trace);
        Box::new(response)
    })
}

/// The answer to a request that the host could not read, in its surface's error shape.
pub fn refuse(uri: &Uri, error: &Error) -> Response<Bytes> {
    response::error(api::surface(uri.path()), error, "")
}

/// A request on its way through.
struct Asking {
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    trace: String,
    now: Time,
}

async fn dispatch<H: Host>(
    host: H,
    isolate: Arc<Isolate>,
    method: &http::Method,
    asking: Asking,
) -> Result<Response<Reply<impl Stream<Item = Bytes> + use<H>>>, Error> {
    let path = asking.uri.path().to_owned();
    let (row, id) = api::find(method, &path)?;
    let identity = if row.keyed { Some(identify(&host, &isolate, &asking.headers)?) } else { None };
    let id = id.unwrap_or_default();
    let whole = |response: Response<Bytes>| Ok(response.map(Reply::Whole));
    match (row.handler, identity) {
        (Handler::Root, _) => whole(health::root()),
        (Handler::Health, _) => whole(health::health()),
        (Handler::Status, _) => whole(health::status(&isolate)),
        (Handler::Ready, _) => whole(health::ready(&host, &isolate).await),
        (handler @ (Handler::Completions | Handler::Chat | Handler::ChatStream), Some(identity)) => {
            Ok(left(answers::answer(host, isolate, identity, asking, handler).await?))
        }
        (Handler::TaskEvents, Some(identity)) => Ok(right(tasks::events(host, identity, &asking, id).await?)),
        (Handler::TaskCreate, Some(identity)) => {
            whole(tasks::create(&host, &isolate, &identity, &asking).await?)
        }
        (Handler::TaskRead, Some(identity)) => whole(tasks::read(&host, &identity.tenant, id).await?),
        (Handler::TaskCancel, Some(identity)) => {
            whole(tasks::cancel(&host, &isolate, &identity.tenant, id).await?)
        }
        (Handler::Models, Some(_)) => whole(books::models(&isolate)),
        (Handler::Receipts, Some(Identity { tenant, .. })) => {
            whole(books::receipts(&host, &tenant, &asking).await?)
        }
        (Handler::DeadLetters, Some(Identity { tenant, .. })) => {
            whole(books::dead_letters(&host, &tenant, &asking).await?)
        }
        (Handler::Usage, Some(Identity { tenant, .. })) => whole(books::usage(&host, &tenant).await?),
        (_, None) => {
            Err(Error::new(Kind::Unauthorized, "send your API key as `Authorization: Bearer ock_…`"))
        }
    }
}

fn identify<H: Host>(host: &H, isolate: &Isolate, headers: &HeaderMap) -> Result<Identity, Error> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    key::verify(isolate.config(), host.secret(SECRET_NAME).as_deref(), authorization)
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
