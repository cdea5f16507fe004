//! Outgoing HTTP: the runtime's `fetch`.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use js_sys::Uint8Array;
use js_sys::futures::JsFuture;
use opencode_core::host::{ByteStream, Net, NetError};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortController, RequestInit, RequestRedirect};
use worker::Body;

use crate::edge::Edge;
use crate::js;

impl Net for Edge {
    type Body = Incoming;

    async fn fetch(&self, request: Request<Bytes>) -> Result<Response<Incoming>, NetError> {
        send(request).await.map_err(|error| NetError(js::message(&error)))
    }
}

async fn send(request: Request<Bytes>) -> Result<Response<Incoming>, JsValue> {
    let abort = Abort(AbortController::new()?);
    let init = RequestInit::new();
    init.set_method(request.method().as_str());
    init.set_headers(js::headers_out(request.headers())?.as_ref());
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&abort.0.signal()));
    if !request.body().is_empty() {
        // An array has a length; a stream would be sent in chunks, which some providers refuse.
        init.set_body(&Uint8Array::from(request.body().as_ref()));
    }
    let response = JsFuture::from(js::fetch(&request.uri().to_string(), &init)?).await?;
    let response: web_sys::Response = response.dyn_into()?;
    let body = response.body().map_or_else(Body::empty, Body::new);
    let mut head = Response::new(Incoming { body, _abort: abort });
    *head.status_mut() = http::StatusCode::from_u16(response.status()).unwrap_or_default();
    *head.headers_mut() = js::headers_in(&response.headers());
    Ok(head)
}

/// Aborts the request when dropped, before or after its head: dropping a pending fetch alone does not.
struct Abort(AbortController);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A response's body.
pub struct Incoming {
    body: Body,
    _abort: Abort,
}

impl ByteStream for Incoming {
    async fn next(&mut self) -> Option<Result<Bytes, NetError>> {
        next(&mut self.body).await
    }
}

/// The next chunk of a body. Read as frames, because the body's own stream hides the cause of its errors.
pub async fn next(body: &mut Body) -> Option<Result<Bytes, NetError>> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
        match frame {
            Ok(frame) => {
                if let Ok(bytes) = frame.into_data() {
                    return Some(Ok(bytes));
                }
            }
            Err(error) => return Some(Err(NetError(js::reason(&error)))),
        }
    }
}
