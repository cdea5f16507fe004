//! Who asks: tenants, API keys, the tokens that keys are exchanged for, roles.

pub mod key;
pub mod ring;
pub mod role;
pub mod token;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::role::Role;

/// A customer of the deployment, whose data no other can reach: 1 to 63 of `a-z 0-9 -`, beginning with a letter
/// or digit. The platform's own values belong to [`Tenant::system`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(String);

/// A caller that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose data it may reach.
    pub tenant: Tenant,
    /// The key that it came with, or that its token was exchanged for.
    pub key: String,
    /// The beginning of the key's hash.
    pub key_hash: String,
    /// What it may do.
    pub role: Role,
}

impl Tenant {
    /// The platform itself: a name that no configuration can claim.
    pub fn system() -> Self {
        Self("_".to_owned())
    }

    /// The name, as in configuration and keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Tenant {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let sound = name.len() <= 63
            && name.as_bytes().first().is_some_and(plain)
            && name.bytes().all(|b| plain(&b) || b == b'-');
        if sound || name == "_" {
            return Ok(Self(name));
        }
        Err("a tenant must be 1 to 63 of a-z, 0-9 and -, beginning with a letter or digit".to_owned())
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
