//! API keys: `ock_<tenant>_<id>_<secret>`. Only a keyed hash is ever stored.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::identity::Tenant;

/// The fewest bytes that the deployment's `OPENCODE_SECRET` may have.
pub const MIN_SECRET: usize = 32;

/// The name of the deployment's secret: keys are hashed and tokens are signed with it.
pub const SECRET_NAME: &str = "OPENCODE_SECRET";

/// The longest text that is looked at: the prefix, the longest tenant and id, 128 bits in hexadecimal.
const MAX_TEXT: usize = 3 + 1 + 63 + 1 + 32 + 1 + 32;

/// A key as a caller sent it; not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiKey<'a> {
    /// Whose it says it is.
    pub tenant: &'a str,
    /// Which it says it is.
    pub id: &'a str,
    text: &'a str,
}

impl<'a> ApiKey<'a> {
    /// Takes a key's text apart, if it looks like one.
    pub fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(4, '_');
        let ("ock", tenant, id, _) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?) else {
            return None;
        };
        (text.len() <= MAX_TEXT).then_some(Self { tenant, id, text })
    }

    /// Whether this is the key that `hash` was made of. Takes the same time wherever they differ, and without a hash
    /// at all, so that it does not tell which ids exist.
    pub fn is(&self, hash_of_it: Option<&str>, secret: &str) -> bool {
        let actual = hash(secret, self.text);
        let equal = bool::from(hash_of_it.unwrap_or_default().as_bytes().ct_eq(actual.as_bytes()));
        equal && hash_of_it.is_some() && secret.len() >= MIN_SECRET
    }
}

/// The text of a new key, from 128 random bits.
pub fn mint(tenant: &Tenant, id: &str, random: u128) -> String {
    format!("ock_{tenant}_{id}_{random:032x}")
}

/// Whether a key may be called so.
pub fn is_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// HMAC-SHA-256 of a key's text under the deployment's secret, in hexadecimal.
pub fn hash(secret: &str, text: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    crate::cache::hex(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of at least thirty-two bytes";

    #[test]
    fn only_the_key_that_was_minted_is_known() {
        let tenant = Tenant::try_from("acme".to_owned()).unwrap();
        let text = mint(&tenant, "k1", 7);
        let stored = hash(SECRET, &text);
        let known = |secret: &str, text: &str| {
            ApiKey::read(text).is_some_and(|key| {
                let found = (key.tenant, key.id) == ("acme", "k1");
                key.is(found.then_some(stored.as_str()), secret)
            })
        };
        assert!(known(SECRET, &text));
        for wrong in [
            format!("{text}0"),
            text.replace("acme", "globex"),
            text.replace("k1", "k2"),
            text.replace("ock_", "sk_"),
            "ock_acme_k1_".to_owned(),
            "ock_acme".to_owned(),
            "ock".to_owned(),
            String::new(),
            format!("ock_acme_k1_{}", "x".repeat(1_000)),
        ] {
            assert!(!known(SECRET, &wrong), "{wrong}");
        }
        assert!(!known("another secret of thirty-two bytes!", &text));
        assert!(!known("", &text));
    }

    #[test]
    fn a_hash_made_without_a_proper_secret_opens_nothing() {
        let tenant = Tenant::try_from("acme".to_owned()).unwrap();
        let text = mint(&tenant, "k1", 7);
        let key = ApiKey::read(&text).unwrap();
        assert!(!key.is(Some(&hash("", &text)), ""));
        assert!(!key.is(Some(&hash("short", &text)), "short"));
    }
}
