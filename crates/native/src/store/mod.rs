//! Every store of the local host, in one SQLite file and the journal beside it.
//!
//! What an answer cannot do without (its hold, its receipt) is kept by [`books`]: changed in memory, written to the
//! journal at once and moved into the file together. Everything else is a statement on the file.

mod books;
pub(crate) mod queue;
mod records;
mod schema;
mod sqlite;
#[cfg(test)]
mod tests;
mod values;

use std::path::Path;
use std::sync::Arc;

use opencode_core::host::StoreError;

use books::{Books, Keeper};
use sqlite::Sqlite;

/// A handle on the stores. Clones share the file, which closes with the last of them.
#[derive(Clone)]
pub struct Store {
    sqlite: Sqlite,
    books: Arc<Books>,
    _keeper: Arc<Keeper>,
}

impl Store {
    /// Opens or makes the file, whose folder must exist, and takes in what a process that was killed left in the
    /// journal. Fails on a file that is not ours to read: no database, not writable, or written by a newer version.
    /// Blocks while it does so.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::try_open(path).map_err(|Failure(why)| StoreError(why))
    }

    fn try_open(path: &Path) -> Result<Self, Failure> {
        let mut connection = schema::open(path)?;
        let books = Arc::new(Books::open(&mut connection, path)?);
        let sqlite = Sqlite::new(connection);
        let keeper = Arc::new(Keeper::start(Arc::clone(&books), sqlite.clone())?);
        Ok(Self { sqlite, books, _keeper: keeper })
    }
}

/// Why something failed.
struct Failure(String);

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("a stored value cannot be read: {error}"))
    }
}

impl From<Failure> for StoreError {
    fn from(Failure(why): Failure) -> Self {
        Self(why)
    }
}

/// Times, versions and counts as SQLite's signed integers; what is too large means "never".
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The way back; nothing negative is ever stored.
fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Refuses what no host could store.
fn fits(what: &str, size: usize, most: usize) -> Result<(), StoreError> {
    if size <= most {
        return Ok(());
    }
    Err(StoreError(format!("a {what} of {size} bytes is over the bound of {most}")))
}
