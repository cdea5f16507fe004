//! A detached run as it is stored between steps.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::host::{Key, MAX_RECORD, Time};
use crate::identity::Tenant;
use crate::modes::Program;

/// Everything that another process needs to go on. Stored as one record; a run whose texts make it larger than a
/// record is stored as a blob, and the record names it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The run's id.
    pub id: String,
    /// The trace of the request that began it.
    pub trace: String,
    /// The key that began it.
    pub key: String,
    /// Where it stands.
    pub status: Status,
    /// The number of the step that is next, from 0.
    pub step: u32,
    /// How often the step was begun.
    pub attempt: u32,
    /// Until when the step is someone's; 0: nobody's.
    pub claimed: Time,
    /// The mode in the middle of its work.
    pub program: Program,
    /// `provider/model` in order, as the request named them.
    pub targets: Option<String>,
    /// The request's model.
    pub model: Option<String>,
    /// When it was made.
    pub created: Time,
    /// When it was last written.
    pub updated: Time,
    /// Tokens of its finished steps.
    pub tokens: u64,
    /// The answer, when it is complete.
    #[serde(default)]
    pub result: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has begun.
    Queued,
    /// Some steps are done.
    Running,
    /// It has a result.
    Complete,
    /// It has an error.
    Failed,
    /// Its owner ended it.
    Cancelled,
}

impl Status {
    /// Whether nothing more happens to it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Cancelled)
    }
}

/// What a record holds of a checkpoint that is too large for one: where it is. No checkpoint has this member.
#[derive(Debug, Serialize, Deserialize)]
pub struct Elsewhere {
    /// SHA-256 of the blob, in hexadecimal.
    pub blob: String,
}

/// A run's record.
pub fn record(tenant: &Tenant, run: &str) -> Key {
    Key::new(tenant, format!("run/{run}"))
}

/// A run's log of events.
pub fn events(tenant: &Tenant, run: &str) -> Key {
    Key::new(tenant, format!("run/{run}/events"))
}

/// A large checkpoint's blob.
pub fn blob(tenant: &Tenant, run: &str, hash: &str) -> Key {
    Key::new(tenant, format!("run/{run}/{hash}"))
}

/// Whether a checkpoint must go into a blob, and its hash.
pub fn needs_blob(bytes: &[u8]) -> Option<String> {
    if bytes.len() <= MAX_RECORD {
        return None;
    }
    Some(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
