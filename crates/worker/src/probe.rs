//! Lets the tests play single operations on the ports. Built only with the feature `probe`.

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use opencode_core::host::{StoreError, play};
use opencode_core::op::Played;

use crate::edge::Edge;

/// Takes an `Op` as JSON, answers a [`Played`] as JSON.
const PORT: &str = "/__port";

/// The largest body of a request for the probe, in bytes: a blob's base64 and its operation.
pub const MAX_BODY: usize = 16 * 1024 * 1024;

/// Whether the request is for the probe.
pub fn takes(uri: &Uri) -> bool {
    uri.path() == PORT
}

/// Answers a request for the probe.
pub async fn answer(edge: &Edge, request: Request<Bytes>) -> Response<Bytes> {
    match serde_json::from_slice(request.body()) {
        Ok(op) => json(&play(edge, op).await.unwrap_or_else(failed)),
        Err(error) => json(&Played::Failed(error.to_string())),
    }
}

fn failed(error: StoreError) -> Played {
    Played::Failed(error.0)
}

fn json(answer: &Played) -> Response<Bytes> {
    let body = serde_json::to_vec(answer).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::OK;
    response
}
