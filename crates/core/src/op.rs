//! The store ports as data: what a Durable Object is asked over HTTP, and what the model-based test plays on
//! every host.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::host::{Closed, Held, Hold, Key, Overdue, Spent, Takes, Time};
use crate::identity::Tenant;

/// One call of a store port. Field for field the port's arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// The members of every operation: read as one type, they take a fifth of what a type for each would in a Worker.
#[derive(Deserialize)]
struct Arguments {
    key: Option<Key>,
    log: Option<Key>,
    tenant: Option<Tenant>,
    id: Option<String>,
    now: Option<Time>,
    expires: Option<Time>,
    lease: Option<Time>,
    note: Option<String>,
    accounts: Option<Vec<Takes>>,
    spent: Option<Vec<Spent>>,
    value: Option<Blob>,
    seen: Option<u64>,
    after: Option<String>,
    limit: Option<usize>,
}

impl Arguments {
    fn of(self, operation: &str) -> Option<Op> {
        let Self {
            key,
            log,
            tenant,
            id,
            now,
            expires,
            lease,
            note,
            accounts,
            spent,
            value,
            seen,
            after,
            limit,
        } = self;
        Some(match operation {
            "cached" => Op::Cached { key: key?, now: now? },
            "cache" => Op::Cache { key: key?, value: value?, expires: expires? },
            "read" => Op::Read { key: key?, now: now? },
            "swap" => Op::Swap { key: key?, seen: seen?, value: value?, expires, now: now? },
            "hold" => Op::Hold(Hold { id: id?, lease: lease?, note: note?, accounts: accounts? }),
            "close" => Op::Close { id: id?, spent: spent? },
            "overdue" => Op::Overdue { tenant: tenant?, now: now?, limit: limit? },
            "append" => Op::Append { log: log?, id: id?, value: value?, expires },
            "scan" => Op::Scan { log: log?, after: after?, limit: limit? },
            "put" => Op::Put { key: key?, value: value?, expires: expires? },
            "get" => Op::Get { key: key?, now: now? },
            "remove" => Op::Remove { key: key? },
            _ => return None,
        })
    }
}

/// As serde reads such a type: an object of one member, which is named after the operation.
impl<'de> Deserialize<'de> for Op {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Operation;
        impl<'de> Visitor<'de> for Operation {
            type Value = Op;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an operation of a store")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Op, A::Error> {
                let read: Option<(String, Arguments)> = map.next_entry()?;
                read.and_then(|(name, arguments)| arguments.of(&name))
                    .ok_or_else(|| A::Error::custom("no operation of a store, or not all that it needs"))
            }
        }
        deserializer.deserialize_map(Operation)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_read_as_it_was_written() {
        let tenant = Tenant::try_from("acme".to_owned()).unwrap();
        let key = Key::new(&tenant, "k");
        let (now, value) = (Time(7), Blob(Bytes::from_static(b"x")));
        let id = || "i".to_owned();
        let take = crate::host::Take { counter: "c".to_owned(), window: 1, amount: 2, limit: 3 };
        let accounts = vec![Takes { account: key.clone(), takes: vec![take] }];
        let spent = vec![Spent { account: key.clone(), spent: vec![("c".to_owned(), 1)] }];
        for op in [
            Op::Cached { key: key.clone(), now },
            Op::Cache { key: key.clone(), value: value.clone(), expires: now },
            Op::Read { key: key.clone(), now },
            Op::Swap { key: key.clone(), seen: 1, value: value.clone(), expires: None, now },
            Op::Swap { key: key.clone(), seen: 1, value: value.clone(), expires: Some(now), now },
            Op::Hold(Hold { id: id(), lease: now, note: String::new(), accounts }),
            Op::Close { id: id(), spent },
            Op::Overdue { tenant, now, limit: 9 },
            Op::Append { log: key.clone(), id: id(), value: value.clone(), expires: None },
            Op::Scan { log: key.clone(), after: String::new(), limit: 9 },
            Op::Put { key: key.clone(), value, expires: now },
            Op::Get { key: key.clone(), now },
            Op::Remove { key },
        ] {
            let text = serde_json::to_vec(&op).unwrap();
            assert_eq!(serde_json::from_slice::<Op>(&text).unwrap(), op);
        }
        for torn in ["{}", r#"{"read":{}}"#, r#"{"drop":{}}"#, r#""read""#] {
            assert!(serde_json::from_str::<Op>(torn).is_err(), "{torn}");
        }
    }
}
