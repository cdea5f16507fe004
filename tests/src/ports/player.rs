//! Plays an [`Op`] on a store: in this process, or over HTTP on the Worker's probe.

use std::time::Duration;

use opencode_core::host::{Appended, Blobs, Cache, Counters, Logs, Records, Swap, Versioned};
use opencode_core::op::{Answer, Blob, Op, Stored};
use serde_json::json;

use crate::client::Request;

/// Something that an [`Op`] can be played on.
pub trait Player: Send + Sync + 'static {
    /// The store's answer; a failure is [`Answer::Failed`].
    fn play(&self, op: Op) -> impl Future<Output = Answer>;
}

/// A store in this process.
pub struct Local<S>(pub S);

impl<S> Player for Local<S>
where
    S: Cache + Records + Counters + Logs + Blobs + Send + Sync + 'static,
{
    async fn play(&self, op: Op) -> Answer {
        local(&self.0, op).await.unwrap_or_else(|error| Answer::Failed(error.to_string()))
    }
}

/// The Worker's stores, behind `POST /__port` of the bundle with the `probe` feature.
pub struct Remote {
    /// Where the Worker listens, without a slash at the end.
    pub url: String,
}

impl Player for Remote {
    async fn play(&self, op: Op) -> Answer {
        let request = Request::post(format!("{}/__port", self.url), &json!(op));
        // `wrangler dev` drops a connection now and then while it starts.
        for _ in 0..3 {
            if let Ok(mut response) = request.send().await {
                let answer = response.text().await.unwrap_or_default();
                return serde_json::from_str(&answer).unwrap_or_else(|error| {
                    Answer::Failed(format!("{} {error}: {answer}", response.status))
                });
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Answer::Failed("the probe does not answer".to_owned())
    }
}

async fn local<S>(store: &S, op: Op) -> Result<Answer, opencode_core::host::StoreError>
where
    S: Cache + Records + Counters + Logs + Blobs,
{
    Ok(match op {
        Op::Cached { key, now } => Answer::Value(store.cached(&key, now).await.map(Blob)),
        Op::Cache { key, value, expires } => {
            store.cache(&key, value.0, expires).await;
            Answer::Done
        }
        Op::Read { key, now } => Answer::Record(store.read(&key, now).await?.map(stored)),
        Op::Swap { key, seen, value, expires, now } => {
            match store.swap(&key, seen, value.0, expires, now).await? {
                Swap::Done(version) => Answer::Swapped(version),
                Swap::Lost(there) => Answer::Lost(there.map(stored)),
            }
        }
        Op::Hold(hold) => Answer::Held(store.hold(&hold).await?),
        Op::Close { id, spent } => Answer::Closed(store.close(&id, &spent).await?),
        Op::Overdue { tenant, now, limit } => Answer::Overdue(store.overdue(&tenant, now, limit).await?),
        Op::Append { log, id, value } => {
            Answer::Appended { new: store.append(&log, &id, value.0).await? == Appended::New }
        }
        Op::Scan { log, after, limit } => {
            let entries = store.scan(&log, &after, limit).await?;
            Answer::Entries(entries.into_iter().map(|entry| (entry.id, Blob(entry.value))).collect())
        }
        Op::Put { key, value, expires } => {
            store.put(&key, value.0, expires).await?;
            Answer::Done
        }
        Op::Get { key, now } => Answer::Value(store.get(&key, now).await?.map(Blob)),
        Op::Remove { key } => {
            store.remove(&key).await?;
            Answer::Done
        }
    })
}

fn stored(versioned: Versioned) -> Stored {
    Stored { version: versioned.version, value: Blob(versioned.value) }
}
