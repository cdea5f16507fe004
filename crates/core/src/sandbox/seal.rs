//! A sandbox's seal over what it answers, so that an answer which the code has forged is told from one of the sandbox's.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::cache::hex;

/// HMAC-SHA-256 in hexadecimal digits, with a key that the code never sees, over the run's nonce, a line break, and the
/// answer's bytes: its lines up to the seal's own, each with its line break. An answer that is one object is sealed
/// as its one line is.
pub fn seal(key: &str, nonce: &str, answer: &[u8]) -> String {
    // Every length of key is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(nonce.as_bytes());
    mac.update(b"\n");
    mac.update(answer);
    hex(&mac.finalize().into_bytes())
}
