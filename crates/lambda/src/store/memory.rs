//! The holds that a handle took itself, so that its close needs no read.

use std::collections::HashMap;

/// How many are kept; a hold beyond them is read at its close.
const MAX_KEPT: usize = 64;

/// Hold attributes as they were written, by account and id. Only a first guess: the close is conditioned on it.
#[derive(Default)]
pub(crate) struct Memory {
    holds: HashMap<(String, String), String>,
}

impl Memory {
    pub(crate) fn keep(&mut self, account: &str, id: &str, written: String) {
        if self.holds.len() < MAX_KEPT {
            self.holds.insert((account.to_owned(), id.to_owned()), written);
        }
    }

    pub(crate) fn take(&mut self, account: &str, id: &str) -> Option<String> {
        self.holds.remove(&(account.to_owned(), id.to_owned()))
    }
}
