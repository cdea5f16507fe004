//! What the bindings' crates leave out, and the texts of JavaScript's errors.

use http::{HeaderMap, HeaderName, HeaderValue};
use js_sys::{Array, Promise, Reflect};
use wasm_bindgen::prelude::{JsCast, JsValue, wasm_bindgen};
use web_sys::{Headers, ReadableStream, RequestInit, WritableStream};
use worker::KvError;

#[wasm_bindgen]
extern "C" {
    /// A byte pipe inside the runtime: what is written comes out of `readable`, one chunk at a time.
    pub type IdentityTransformStream;

    #[wasm_bindgen(constructor)]
    pub fn new() -> IdentityTransformStream;

    #[wasm_bindgen(method, getter)]
    pub fn readable(this: &IdentityTransformStream) -> ReadableStream;

    #[wasm_bindgen(method, getter)]
    pub fn writable(this: &IdentityTransformStream) -> WritableStream;

    #[wasm_bindgen(catch)]
    pub fn fetch(url: &str, init: &RequestInit) -> Result<Promise, JsValue>;

    /// Throws only outside an event, where none of this code runs.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    pub fn random_values(buffer: &mut [u8]);
}

/// An error's message. Messages that name a URL are withheld: a URL may carry a secret.
pub fn message(error: &JsValue) -> String {
    let text = error.as_string().or_else(|| Reflect::get(error, &"message".into()).ok()?.as_string());
    match text {
        Some(text) if text.contains("://") => "the runtime refused the request".to_owned(),
        Some(text) => text,
        None => "unknown error".to_owned(),
    }
}

/// The message of an error from the bindings' crate.
pub fn reason(error: &worker::Error) -> String {
    match error {
        worker::Error::KvError(KvError::JavaScript(error)) => message(error),
        other => message(&other.to_js_value()),
    }
}

/// Whether an error carries this member with the value `true`.
pub fn flag(error: &JsValue, name: &str) -> bool {
    Reflect::get(error, &name.into()).ok().and_then(|value| value.as_bool()).unwrap_or(false)
}

/// Headers as they are; those that HTTP does not allow are left out.
pub fn headers_in(headers: &Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for entry in headers.entries() {
        let Some(entry) = entry.ok().and_then(|entry| entry.dyn_into::<Array>().ok()) else { continue };
        let (Some(name), Some(value)) = (entry.get(0).as_string(), entry.get(1).as_string()) else {
            continue;
        };
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
    map
}

/// Headers for the runtime; those that it does not take are left out, and so is the framing, which is its own.
pub fn headers_out(map: &HeaderMap) -> Result<Headers, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in map {
        let framing = ["host", "content-length", "connection", "transfer-encoding"].contains(&name.as_str());
        if let Ok(value) = value.to_str()
            && !framing
        {
            let _ = headers.append(name.as_str(), value);
        }
    }
    Ok(headers)
}
