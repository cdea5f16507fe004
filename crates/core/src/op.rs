//! The store ports as data: what a Durable Object is asked over HTTP, and what the model-based test plays on
//! every host.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::host::{Closed, Held, Hold, Key, Overdue, Spent, Time};
use crate::identity::Tenant;

/// One call of a store port. Field for field the port's arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Op {
    Cached { key: Key, now: Time },
    Cache { key: Key, value: Blob, expires: Time },
    Read { key: Key, now: Time },
    Swap { key: Key, seen: u64, value: Blob, expires: Option<Time>, now: Time },
    Hold(Hold),
    Close { id: String, spent: Vec<Spent> },
    Overdue { tenant: Tenant, now: Time, limit: usize },
    Append { log: Key, id: String, value: Blob, expires: Option<Time> },
    Scan { log: Key, after: String, limit: usize },
    Put { key: Key, value: Blob, expires: Time },
    Get { key: Key, now: Time },
    Remove { key: Key },
}

impl Op {
    /// Whose data it touches; `None` for a close that names no account.
    pub fn tenant(&self) -> Option<&Tenant> {
        match self {
            Self::Cached { key, .. }
            | Self::Cache { key, .. }
            | Self::Read { key, .. }
            | Self::Swap { key, .. }
            | Self::Append { log: key, .. }
            | Self::Scan { log: key, .. }
            | Self::Put { key, .. }
            | Self::Get { key, .. }
            | Self::Remove { key } => Some(key.tenant()),
            Self::Overdue { tenant, .. } => Some(tenant),
            Self::Hold(hold) => hold.accounts.first().map(|takes| takes.account.tenant()),
            Self::Close { spent, .. } => spent.first().map(|spent| spent.account.tenant()),
        }
    }
}

/// What a call answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Played {
    Done,
    Value(Option<Blob>),
    Record(Option<Stored>),
    Swapped(u64),
    Lost(Option<Stored>),
    Held(Held),
    Closed(Closed),
    Overdue(Vec<Overdue>),
    Appended { new: bool },
    Entries(Vec<(String, Blob)>),
    Failed(String),
}

/// A record with its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Stored {
    pub version: u64,
    pub value: Blob,
}

/// Bytes that are base64 in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Blob(pub Bytes);

impl TryFrom<String> for Blob {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(text).map(|bytes| Self(bytes.into()))
    }
}

impl From<Blob> for String {
    fn from(blob: Blob) -> Self {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(&blob.0)
    }
}
