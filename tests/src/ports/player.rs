//! Plays an [`Op`] on a store: in this process, or over HTTP on the Worker's probe.

use std::time::Duration;

use opencode_core::host::{Blobs, Cache, Counters, Logs, Records, play};
use opencode_core::op::{Op, Played};
use serde_json::json;

use crate::client::Request;

/// Something that an [`Op`] can be played on.
pub trait Player: Send + Sync + 'static {
    /// The store's answer; a failure is [`Played::Failed`].
    fn play(&self, op: Op) -> impl Future<Output = Played>;
}

/// A store in this process.
pub struct Local<S>(pub S);

impl<S> Player for Local<S>
where
    S: Cache + Records + Counters + Logs + Blobs + Send + Sync + 'static,
{
    async fn play(&self, op: Op) -> Played {
        play(&self.0, op).await.unwrap_or_else(|error| Played::Failed(error.to_string()))
    }
}

/// The Worker's stores, behind `POST /__port` of the bundle with the `probe` feature.
pub struct Remote {
    /// Where the Worker listens, without a slash at the end.
    pub url: String,
}

impl Player for Remote {
    async fn play(&self, op: Op) -> Played {
        let request = Request::post(format!("{}/__port", self.url), &json!(op));
        // `wrangler dev` drops a connection now and then while it starts.
        for _ in 0..3 {
            if let Ok(mut response) = request.send().await {
                let answer = response.text().await.unwrap_or_default();
                return serde_json::from_str(&answer).unwrap_or_else(|error| {
                    Played::Failed(format!("{} {error}: {answer}", response.status))
                });
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Played::Failed("the probe does not answer".to_owned())
    }
}
