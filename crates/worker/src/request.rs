//! The `fetch` event: one HTTP request and its answer.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot::{self, Sender};
use futures::future::{Either, select};
use http::request::Parts;
use http::{Method, Request, Response, Uri};
use js_sys::Uint8Array;
use opencode_core::error::{Error, Kind};
use opencode_core::serve::{Reply, admit, refuse, serve, too_large};
use wasm_bindgen::JsValue;
use web_sys::ResponseInit;
use worker::{Body, Context, Delay, Env, console_error, event};

use crate::edge::Edge;
use crate::gone::{Gone, Listener};
use crate::js::{IdentityTransformStream, headers_in, headers_out, message};
use crate::pipe::pump;
use crate::{isolate, net, owner};

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// The answer belongs to a task that outlives the connection; the connection only reads it. On Workers no `Drop`
/// runs when a client leaves, so an answer that lived in the connection could not be settled.
#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    answer(request, env, Place::Front, |task| context.wait_until(task)).await
}

/// Where a request is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the Worker, which ends soon after its client.
    Front,
    /// In an object that does not.
    Owner,
}

/// A task that goes on when its request has ended.
type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Begins to answer; `keep` keeps the answer's task alive.
pub async fn answer(
    request: web_sys::Request,
    env: Env,
    place: Place,
    keep: impl FnOnce(Task),
) -> worker::Result<web_sys::Response> {
    let (head, answer) = oneshot::channel();
    keep(Box::pin(async move {
        if let Err(error) = respond(request, env, place, head).await {
            console_error!("request: {}", message(&error));
        }
    }));
    answer.await.map_err(|_| worker::Error::from("the answer was lost"))
}

async fn respond(
    request: web_sys::Request,
    env: Env,
    place: Place,
    head: Sender<web_sys::Response>,
) -> Result<(), JsValue> {
    let client = Rc::new(Gone::default());
    let _listener = Listener::new(request.signal(), client.clone());
    let edge = Edge::new(env.clone(), Some(client.clone()));

    let parts = match parts(&request) {
        Ok(parts) => parts,
        Err(error) => return whole(head, refuse(&edge, &Uri::from_static("/"), &error)),
    };
    #[cfg(feature = "probe")]
    if crate::probe::takes(&parts.uri) {
        let body = match body(&request, crate::probe::MAX_BODY).await {
            Ok(body) => body,
            Err(error) => return whole(head, refuse(&edge, &parts.uri, &error)),
        };
        return whole(head, crate::probe::answer(&edge, Request::from_parts(parts, body)).await);
    }
    let isolate = match isolate::get(&env) {
        Ok(isolate) => isolate,
        Err(why) => return whole(head, refuse(&edge, &parts.uri, &Error::new(Kind::Unavailable, why))),
    };
    let admitted = match admit(&edge, &isolate, parts).await {
        Ok(admitted) => admitted,
        Err(response) => return whole(head, *response),
    };
    let body = match body(&request, admitted.max_body()).await {
        Ok(body) => body,
        Err(error) => return whole(head, admitted.refuse(&edge, &error)),
    };
    if place == Place::Front && admitted.outlives_its_caller(&body) {
        return match owner::ask(&edge, &request, &body).await {
            Ok(response) => {
                send(head, response);
                Ok(())
            }
            Err(error) => {
                console_error!("owner: {}", message(&error));
                let error = Error::new(Kind::Unavailable, "nobody can own this answer now; try again");
                whole(head, admitted.refuse(&edge, &error))
            }
        };
    }
    let (parts, reply) = serve(edge, admitted, body).await.into_parts();
    let stream = match reply {
        Reply::Whole(bytes) => return whole(head, Response::from_parts(parts, bytes)),
        Reply::Stream(stream) => stream,
    };
    let pipe = IdentityTransformStream::new();
    let writer = pipe.writable().get_writer()?;
    let init = init(&Response::from_parts(parts, ()))?;
    send(head, web_sys::Response::new_with_opt_readable_stream_and_init(Some(&pipe.readable()), &init)?);
    pump(stream, writer, &client).await;
    Ok(())
}

/// Reads a request's head. The target keeps only its path and query: the core knows no host.
fn parts(request: &web_sys::Request) -> Result<Parts, Error> {
    let uri: Uri = target(&request.url())
        .parse()
        .map_err(|_| Error::invalid("the request's target is not a URI that can be read"))?;
    let mut read = Request::new(());
    *read.method_mut() = Method::from_bytes(request.method().as_bytes()).unwrap_or_default();
    *read.headers_mut() = headers_in(&request.headers());
    *read.uri_mut() = uri;
    Ok(read.into_parts().0)
}

/// The part of an absolute URL that begins with the path.
fn target(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    authority.find('/').and_then(|at| authority.get(at..)).unwrap_or("/")
}

/// Reads a body, up to `limit` bytes and not longer than [`PATIENCE`].
async fn body(request: &web_sys::Request, limit: usize) -> Result<Bytes, Error> {
    let late = pin!(Delay::from(PATIENCE));
    match select(pin!(chunks(request, limit)), late).await {
        Either::Left((body, _)) => body,
        Either::Right(_) => {
            let detail = format!("the body did not arrive within {} s", PATIENCE.as_secs());
            Err(Error::invalid(detail))
        }
    }
}

async fn chunks(request: &web_sys::Request, limit: usize) -> Result<Bytes, Error> {
    let Some(stream) = request.body() else { return Ok(Bytes::new()) };
    let mut stream = Body::new(stream);
    let mut body = Vec::new();
    while let Some(chunk) = net::next(&mut stream).await {
        let chunk = chunk.map_err(|_| Error::invalid("the request's body ended before it was complete"))?;
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

fn whole(head: Sender<web_sys::Response>, response: Response<Bytes>) -> Result<(), JsValue> {
    // The runtime refuses any body, even an empty one, with a status that has none.
    let body = (!response.body().is_empty()).then(|| Uint8Array::from(response.body().as_ref()));
    send(head, web_sys::Response::new_with_opt_js_u8_array_and_init(body.as_ref(), &init(&response)?)?);
    Ok(())
}

/// Fails only when the connection is gone, and its receiver with it: then nobody needs the answer's head.
fn send(head: Sender<web_sys::Response>, response: web_sys::Response) {
    let _ = head.send(response);
}

fn init<T>(response: &Response<T>) -> Result<ResponseInit, JsValue> {
    let init = ResponseInit::new();
    init.set_status(response.status().as_u16());
    init.set_headers(headers_out(response.headers())?.as_ref());
    Ok(init)
}
