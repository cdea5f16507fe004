//! API keys: `ock_<tenant>_<id>_<secret>`. Only a keyed hash is ever stored.

use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::config::Config;
use crate::error::{Error, Kind};
use crate::identity::Tenant;

/// The fewest bytes that the deployment's `OPENCODE_SECRET` may have.
pub const MIN_SECRET: usize = 32;

/// The name of the deployment's secret, with which keys are hashed.
pub const SECRET_NAME: &str = "OPENCODE_SECRET";

/// A key that may ask.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRow {
    /// Which key this is: letters and digits.
    pub id: String,
    /// Whose it is.
    pub tenant: Tenant,
    /// What [`hash`] makes of the key's whole text.
    pub hash: String,
}

/// A caller whose key was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose data it may reach.
    pub tenant: Tenant,
    /// The key it came with.
    pub key: String,
}

/// The text of a new key, from 128 random bits.
pub fn mint(tenant: &Tenant, id: &str, random: u128) -> String {
    format!("ock_{tenant}_{id}_{random:032x}")
}

/// HMAC-SHA-256 of a key's text under the deployment's secret, in hexadecimal.
pub fn hash(secret: &str, text: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Verifies the `authorization` header's value against the configured keys.
pub fn verify(config: &Config, secret: Option<&str>, authorization: Option<&str>) -> Result<Identity, Error> {
    let refuse = |why: &str| Err(Error::new(Kind::Unauthorized, why));
    let Some(text) = authorization else {
        return refuse("send your API key as `Authorization: Bearer ock_…`");
    };
    let Some(text) = text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("bearer ")) else {
        return refuse("the Authorization header must be `Bearer ock_…`");
    };
    let mut parts = text.trim().splitn(4, '_');
    let (Some("ock"), Some(tenant), Some(id), Some(_)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return refuse("this is not an API key of this platform: they begin with `ock_`");
    };
    let row = config.keys.iter().find(|row| row.id == id && row.tenant.as_str() == tenant);
    // Without a row a hash is compared all the same, so that the time taken does not tell which ids exist.
    let expected = row.map_or("", |row| row.hash.as_str());
    let actual = hash(secret.unwrap_or_default(), text.trim());
    let equal = bool::from(expected.as_bytes().ct_eq(actual.as_bytes()));
    match row {
        Some(row) if equal && secret.is_some_and(|s| s.len() >= MIN_SECRET) => {
            Ok(Identity { tenant: row.tenant.clone(), key: row.id.clone() })
        }
        _ => refuse("this API key is not known here"),
    }
}
