//! A tenant's keys that were made while the platform runs: one record a tenant, so that making and revoking are one
//! compare-and-set and listing is one read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Tenant;
use super::role::Role;
use crate::host::{Key, Time};

/// The most keys of one tenant, revoked ones that are still listed included: they fit into one record.
pub const MAX_KEYS: usize = 200;

/// The record's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRing {
    /// By id.
    pub keys: BTreeMap<String, StoredKey>,
}

/// One key; never its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredKey {
    /// See [`super::key::hash`].
    pub hash: String,
    /// What it may do.
    pub role: Role,
    /// For people; at most 100 bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When it was made.
    pub created: Time,
    /// From when on it opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Time>,
}

impl StoredKey {
    /// Whether it opens anything now.
    pub fn is_live(&self, now: Time) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

/// Where a tenant's ring is.
pub fn record(tenant: &Tenant) -> Key {
    Key::new(tenant, "keys")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MAX_RECORD;

    #[test]
    fn the_largest_ring_fits_into_a_record() {
        let key = StoredKey {
            hash: "0".repeat(64),
            role: Role::Readonly,
            name: "\"".repeat(100),
            created: Time(u64::MAX),
            expires: Some(Time(u64::MAX)),
            revoked: Some(Time(u64::MAX)),
        };
        let keys = (0..MAX_KEYS).map(|n| (format!("{n:032}"), key.clone())).collect();
        let bytes = serde_json::to_vec(&KeyRing { keys }).unwrap().len();
        assert!(bytes <= MAX_RECORD, "{bytes}");
    }
}
