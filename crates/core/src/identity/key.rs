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

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of at least thirty-two bytes";

    #[test]
    fn only_the_key_that_was_minted_is_known() {
        let tenant = Tenant::try_from("acme".to_owned()).unwrap();
        let text = mint(&tenant, "k1", 7);
        let mut config = Config::parse("[[tenants]]\nname = \"acme\"").unwrap();
        config.keys.push(KeyRow { id: "k1".to_owned(), tenant, hash: hash(SECRET, &text) });
        let known = |secret: Option<&str>, header: &str| {
            verify(&config, secret, Some(header)).map(|identity| identity.tenant.to_string()).ok()
        };
        assert_eq!(known(Some(SECRET), &format!("Bearer {text}")).as_deref(), Some("acme"));
        assert!(verify(&config, Some(SECRET), None).is_err());
        for header in [
            text.clone(),
            format!("Basic {text}"),
            format!("Bearer {text}0"),
            format!("Bearer {}", text.replace("acme", "globex")),
            format!("Bearer {}", text.replace("k1", "k2")),
            format!("Bearer {}", text.replace("ock_", "sk_")),
            "Bearer ock_acme_k1_".to_owned(),
            "Bearer ".to_owned(),
        ] {
            assert_eq!(known(Some(SECRET), &header), None, "{header}");
        }
        let good = format!("Bearer {text}");
        assert_eq!(known(Some("another secret of thirty-two bytes!"), &good), None);
        assert_eq!(known(Some(""), &good), None);
        assert_eq!(known(None, &good), None);
    }

    #[test]
    fn a_row_hashed_without_a_proper_secret_opens_nothing() {
        let tenant = Tenant::try_from("acme".to_owned()).unwrap();
        let text = mint(&tenant, "k1", 7);
        let mut config = Config::default();
        config.keys.push(KeyRow { id: "k1".to_owned(), tenant, hash: hash("", &text) });
        assert!(verify(&config, None, Some(&format!("Bearer {text}"))).is_err());
    }
}
