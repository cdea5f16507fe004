//! Lets the tests play single operations on the ports. Built only with the feature `probe`.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use opencode_core::host::{Appended, Blobs, Cache, Counters, Logs, Records, StoreError, Swap, Versioned};
use opencode_core::op::{Answer, Blob, Op, Stored};

use crate::edge::Edge;

/// Takes an [`Op`] as JSON, answers an [`Answer`] as JSON.
const PORT: &str = "/__port";

/// Sends the body to the queue as it is, after as many seconds as the query says.
const QUEUE: &str = "/__queue";

/// The largest body of a request for the probe, in bytes: a blob's base64 and its operation.
pub const MAX_BODY: usize = 16 * 1024 * 1024;

/// Whether the request is for the probe.
pub fn takes(uri: &Uri) -> bool {
    [PORT, QUEUE].contains(&uri.path())
}

/// Answers a request for the probe.
pub async fn answer(edge: &Edge, request: Request<Bytes>) -> Response<Bytes> {
    if request.uri().path() == QUEUE {
        let delay = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(0);
        let text = String::from_utf8_lossy(request.body());
        return json(
            &edge.send(&text, Duration::from_secs(delay)).await.map_or_else(failed, |()| Answer::Done),
        );
    }
    match serde_json::from_slice(request.body()) {
        Ok(op) => json(&play(edge, op).await.unwrap_or_else(failed)),
        Err(error) => json(&Answer::Failed(error.to_string())),
    }
}

async fn play(edge: &Edge, op: Op) -> Result<Answer, StoreError> {
    Ok(match op {
        Op::Cached { key, now } => Answer::Value(edge.cached(&key, now).await.map(Blob)),
        Op::Cache { key, value, expires } => {
            edge.cache(&key, value.0, expires).await;
            Answer::Done
        }
        Op::Read { key, now } => Answer::Record(edge.read(&key, now).await?.map(stored)),
        Op::Swap { key, seen, value, expires, now } => {
            match edge.swap(&key, seen, value.0, expires, now).await? {
                Swap::Done(version) => Answer::Swapped(version),
                Swap::Lost(record) => Answer::Lost(record.map(stored)),
            }
        }
        Op::Hold(hold) => Answer::Held(edge.hold(&hold).await?),
        Op::Close { id, spent } => Answer::Closed(edge.close(&id, &spent).await?),
        Op::Overdue { tenant, now, limit } => Answer::Overdue(edge.overdue(&tenant, now, limit).await?),
        Op::Append { log, id, value } => {
            Answer::Appended { new: edge.append(&log, &id, value.0).await? == Appended::New }
        }
        Op::Scan { log, after, limit } => {
            let entries = edge.scan(&log, &after, limit).await?;
            Answer::Entries(entries.into_iter().map(|entry| (entry.id, Blob(entry.value))).collect())
        }
        Op::Put { key, value, expires } => {
            edge.put(&key, value.0, expires).await?;
            Answer::Done
        }
        Op::Get { key, now } => Answer::Value(edge.get(&key, now).await?.map(Blob)),
        Op::Remove { key } => {
            edge.remove(&key).await?;
            Answer::Done
        }
    })
}

fn stored(record: Versioned) -> Stored {
    Stored { version: record.version, value: Blob(record.value) }
}

fn failed(error: StoreError) -> Answer {
    Answer::Failed(error.0)
}

fn json(answer: &Answer) -> Response<Bytes> {
    let body = serde_json::to_vec(answer).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::OK;
    response
}
