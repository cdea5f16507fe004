//! The owner of answers that outlive their callers: a Durable Object, one for each such answer.
//!
//! An invocation ends 30 seconds after its client has left; an object runs on while what it was told to wait for is
//! pending (by default from the compatibility date 2026-10-01 on).

use js_sys::Uint8Array;
use opencode_core::host::Clock as _;
use wasm_bindgen::JsValue;
use web_sys::RequestInit;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::edge::Edge;
use crate::request::{Place, answer};

/// The Durable Object namespace's binding.
const BINDING: &str = "OWNER";

/// Answers one request, as the Worker itself would.
#[durable_object]
pub struct Owner {
    state: State,
    env: Env,
}

impl DurableObject for Owner {
    fn new(state: State, env: Env) -> Self {
        Self { state, env }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let keep = |task| self.state.wait_until(task);
        answer(Clone::clone(request.inner()), self.env.clone(), Place::Owner, keep).await.map(Response::from)
    }
}

/// Hands a request to an owner of its own; its response comes through as it is.
pub async fn ask(
    edge: &Edge,
    request: &web_sys::Request,
    body: &[u8],
) -> std::result::Result<web_sys::Response, JsValue> {
    let init = RequestInit::new();
    init.set_method(&request.method());
    init.set_headers(request.headers().as_ref());
    init.set_body(&Uint8Array::from(body));
    // An answer that may not outlive its caller after all ends with it.
    init.set_signal(Some(&request.signal()));
    let request = web_sys::Request::new_with_str_and_init(&request.url(), &init)?;
    let name = format!("{:032x}", edge.random());
    let stub = edge.env().durable_object(BINDING)?.get_by_name(&name)?;
    Ok(stub.fetch_with_request(request.into()).await?.into())
}
