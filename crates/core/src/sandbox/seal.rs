//! A sandbox's seal over what it answers, so that an answer which the code has forged is told from one of the sandbox's.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::cache::hex;

/// HMAC-SHA-256 in hexadecimal digits, with a key that the code never sees, over the run's nonce, a line break, and the
/// answer's bytes: its lines up to the seal's own, each with its line break. An answer that is one object is sealed
/// as its one line is.
pub fn seal(key: &str, nonce: &str, answer: &[u8]) -> String {
    let mut seal = Sealing::new(key, nonce);
    seal.add(answer);
    seal.text()
}

/// A [`seal`] in the making.
#[derive(Clone)]
pub struct Sealing(Option<Hmac<Sha256>>);

impl Sealing {
    /// Of nothing yet.
    pub fn new(key: &str, nonce: &str) -> Self {
        // Every length of key is taken.
        let mut seal = Self(Hmac::new_from_slice(key.as_bytes()).ok());
        seal.add(nonce.as_bytes());
        seal.add(b"\n");
        seal
    }

    /// More of the answer.
    pub fn add(&mut self, answer: &[u8]) {
        if let Some(mac) = &mut self.0 {
            mac.update(answer);
        }
    }

    /// The seal.
    pub fn text(self) -> String {
        self.0.map(|mac| hex(&mac.finalize().into_bytes())).unwrap_or_default()
    }
}
