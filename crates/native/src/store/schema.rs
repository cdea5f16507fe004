//! The tables, and how the file is opened.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::Failure;

/// Grows with every change of the tables.
const VERSION: i64 = 4;
/// How long a start waits for the process before it to end.
const BUSY: Duration = Duration::from_secs(5);
/// How many pages the write-ahead log grows to before it is written back, with a wait for the disk: 16 MB.
const CHECKPOINT: i64 = 4_000;
/// How many prepared statements are kept.
const STATEMENTS: usize = 64;

const TABLES: &str = "
CREATE TABLE cache (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires INTEGER NOT NULL);
CREATE INDEX cache_expires ON cache (expires);

CREATE TABLE blob (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires INTEGER NOT NULL);
CREATE INDEX blob_expires ON blob (expires);

CREATE TABLE record (key TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL, expires INTEGER);
CREATE INDEX record_expires ON record (expires) WHERE expires IS NOT NULL;

CREATE TABLE account (
    tenant TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (tenant, name)
);

CREATE TABLE log (
    log TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, expires INTEGER, PRIMARY KEY (log, id)
) WITHOUT ROWID;
CREATE INDEX log_expires ON log (expires) WHERE expires IS NOT NULL;

CREATE TABLE journal (applied INTEGER NOT NULL);
INSERT INTO journal (applied) VALUES (0);

CREATE TABLE queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, tenant TEXT NOT NULL, body TEXT NOT NULL,
    visible_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'ready'
);
CREATE INDEX queue_next ON queue (state, visible_at);
";

/// Logs lie in their key's order, in one tree.
const FROM_1: &str = "
ALTER TABLE log RENAME TO old;
CREATE TABLE log (
    log TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (log, id)
) WITHOUT ROWID;
INSERT INTO log SELECT log, id, value FROM old;
DROP TABLE old;
";

/// Accounts and logs have a journal, and overdue holds are found in memory.
const FROM_2: &str = "
CREATE TABLE journal (applied INTEGER NOT NULL);
INSERT INTO journal (applied) VALUES (0);
DROP INDEX account_due;
ALTER TABLE account DROP COLUMN due;
";

/// Entries of logs may expire.
const FROM_3: &str = "
ALTER TABLE log ADD COLUMN expires INTEGER;
CREATE INDEX log_expires ON log (expires) WHERE expires IS NOT NULL;
";

pub(super) fn open(path: &Path) -> Result<Connection, Failure> {
    private(path)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // One process has the file to itself, which saves half of the system calls of a commit.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    let mode: rusqlite::Result<String> =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
    let mode = mode.map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Failure("another process uses it: give each a data folder of its own".to_owned())
        }
        _ => error.into(),
    })?;
    if mode != "wal" {
        return Err(Failure(format!("the file system allows no write-ahead log (journal mode {mode})")));
    }
    // What is committed outlives this process. A power cut may take the last moments before it, in their order, but
    // never more and never the file: the keeper of the books waits for the disk every second that changes something.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Everything of every tenant is in the file: it is its owner's alone, and SQLite gives its side files the same mode.
fn private(path: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure(format!("{} cannot be opened: {error}", path.display()));
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(failed)?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)
}

fn migrate(connection: &mut Connection) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        VERSION => return Ok(()),
        0 => transaction.execute_batch(TABLES)?,
        1 => transaction.execute_batch(&[FROM_1, FROM_2, FROM_3].concat())?,
        2 => transaction.execute_batch(&[FROM_2, FROM_3].concat())?,
        3 => transaction.execute_batch(FROM_3)?,
        _ => {
            return Err(Failure(format!(
                "the database has schema version {found}, this program knows {VERSION}: use a newer program or another \
                 data folder"
            )));
        }
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}
