//! The Lambda binary behind our own Runtime API, which stops it when its response ends.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::lambda::{Back, function};
use super::setup::Setup;
use crate::runtime_api::{Pool, front, work};

/// Processes of the HTTP function.
const SLOTS: usize = 20;

/// A running Function URL.
pub struct Frozen {
    /// Where it answers.
    pub url: String,
    http: Arc<Pool>,
    back: Back,
}

impl Frozen {
    /// Starts everything on empty stores.
    pub async fn start(setup: &Setup, folder: &Path) -> Result<Self, String> {
        let back = Back::start(setup, folder).await?;
        let http =
            Pool::start(function("http", setup, &back.stores)?, SLOTS, &folder.join("http.log")).await?;
        let url = front::start(Arc::clone(&http)).await?;
        Ok(Self { url, http, back })
    }

    /// Kills every process in the middle of what it does; fresh ones take their slots.
    pub async fn restart(&mut self) -> Result<(), String> {
        self.http.kill();
        self.back.work.kill();
        Ok(())
    }

    /// Writes a configuration into the table.
    pub async fn write_settings(&self, text: &str) -> Result<(), String> {
        self.back.write_settings(text).await
    }

    /// Hands the work function one batch, past the queue.
    pub async fn batch(&self, messages: &[Value]) -> Result<Value, String> {
        work::batch(&self.back.work, messages).await
    }

    /// How many messages lie in the dead-letter queue.
    pub async fn dead(&self) -> Result<u64, String> {
        self.back.stores.dead.count().await
    }

    /// One more tick of the schedule, besides the one each second.
    pub async fn tick(&self) -> Result<(), String> {
        work::tick(&self.back.work).await
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.http.stop();
    }
}
