//! What a case works with.

use std::ops::Deref;
use std::sync::Arc;

use serde_json::{Value, json};

use super::platform::{Kind, Platform};
use crate::client::Request;
use crate::wall::{Stats, Wall};

/// A case's view of its platform and the wall. Derefs to the [`Platform`].
pub struct Ctx {
    /// The upstream of every target.
    pub wall: Arc<Wall>,
    /// Sets this case on this host apart from every other at the wall and in the receipts.
    pub tag: String,
    platform: Arc<Platform>,
}

impl Deref for Ctx {
    type Target = Platform;

    fn deref(&self) -> &Platform {
        &self.platform
    }
}

impl Ctx {
    /// The view of the case of this name.
    pub fn new(platform: Arc<Platform>, wall: Arc<Wall>, case: &str) -> Self {
        let plain: String = case.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let tag = format!("{}-{plain}", platform.kind.name());
        Self { wall, tag, platform }
    }

    /// The same platform under another tag, for a case with several exchanges.
    pub fn part(&self, name: &str) -> Self {
        let tag = format!("{}-{name}", self.tag);
        Self { wall: Arc::clone(&self.wall), tag, platform: Arc::clone(&self.platform) }
    }

    /// Which host it is.
    pub fn kind(&self) -> Kind {
        self.platform.kind
    }

    /// `wall/FAULT~TAG`: a model whose calls are this case's own.
    pub fn model(&self, fault: &str) -> String {
        format!("wall/{fault}~{}", self.tag)
    }

    /// The body of a chat request.
    pub fn body(&self, fault: &str, stream: bool) -> Value {
        let messages = json!([{ "role": "user", "content": format!("hello from {}", self.tag) }]);
        let mut body = json!({ "model": self.model(fault), "messages": messages });
        if stream {
            body["stream"] = json!(true);
        }
        body
    }

    /// A chat request of `acme` that is answered whole.
    pub fn ask(&self, fault: &str) -> Request {
        self.post("/v1/chat/completions", &self.body(fault, false)).key(&self.keys.acme)
    }

    /// A chat request of `acme` that is streamed.
    pub fn stream(&self, fault: &str) -> Request {
        self.post("/v1/chat/completions", &self.body(fault, true)).key(&self.keys.acme)
    }

    /// The value of `x-opencode-targets` for these faults, in order.
    pub fn targets(&self, faults: &[&str]) -> String {
        faults.iter().map(|fault| self.model(fault)).collect::<Vec<_>>().join(", ")
    }

    /// A streamed chat request with an ordered list of targets.
    pub fn over(&self, faults: &[&str]) -> Request {
        self.stream(faults[0]).header("x-opencode-targets", &self.targets(faults))
    }

    /// What this case's calls did at the wall.
    pub fn stats(&self) -> Stats {
        self.wall.stats(&self.tag)
    }

    /// Waits until none of this case's calls runs any more.
    pub async fn quiet(&self) -> Result<Stats, String> {
        self.wall.until(&self.tag, |stats| stats.open() == 0).await
    }

    /// Waits for the one receipt of this case's one answer of `acme`, and a little for a second one.
    pub async fn receipt(&self) -> Result<Value, String> {
        self.receipts_of(&self.keys.acme, &self.tag, |list| !list.is_empty()).await?;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let mut receipts = self.receipts_of(&self.keys.acme, &self.tag, |_| true).await?;
        same("receipts", receipts.len(), 1)?;
        Ok(receipts.remove(0))
    }
}

/// Fails with both values when they differ.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, actual: T, expected: T) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("{what}: {actual:?}, not {expected:?}")) }
}

/// Fails with the text when the condition does not hold.
pub fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
