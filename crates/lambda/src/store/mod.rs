//! The store ports on one DynamoDB table.
//!
//! The partition key is `tenant/kind/name`, so every key begins with its tenant; the sort key is `-`, a log
//! entry's id or a blob's part. Records, accounts, logs and blobs are read consistently, the cache is not.
//!
//! A write that was made but whose answer was lost is sent again by the SDK and then fails its own condition. Each
//! conditional write therefore carries a random mark, and one that finds its own mark has succeeded.

mod account;
mod blobs;
mod cache;
mod counters;
mod item;
mod logs;
pub(crate) mod memory;
mod overdue;
mod records;

use opencode_core::host::Key;

/// The sort key of values that have one item.
pub(crate) const ONLY: &str = "-";

/// The kinds of values in the table.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Account,
    Blob,
    Cache,
    Log,
    Record,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Blob => "blob",
            Self::Cache => "cache",
            Self::Log => "log",
            Self::Record => "record",
        }
    }
}

/// The partition key of a value.
pub(crate) fn partition(kind: Kind, key: &Key) -> String {
    format!("{}/{}/{}", key.tenant(), kind.word(), key.name())
}
