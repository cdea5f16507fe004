//! The keeper: moves what has gathered into the file, in one transaction for all.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use super::{Batch, Books, Failure, MUCH, Segment, accounts, journal, logs};
use crate::store::sqlite::Sqlite;
use crate::store::{signed, unsigned};

/// How long a change lies in the journal alone.
const PAUSE: Duration = Duration::from_secs(1);

/// The thread that moves. It ends, having moved everything, when this is dropped.
pub(in crate::store) struct Keeper {
    books: Arc<Books>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(in crate::store) fn start(books: Arc<Books>, sqlite: Sqlite) -> Result<Self, Failure> {
        let kept = Arc::clone(&books);
        let thread = std::thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || keep(&kept, &sqlite))
            .map_err(|error| Failure(format!("no thread for the books: {error}")))?;
        Ok(Self { books, thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.books.state().stop = true;
        self.books.much.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let state = self.books.state();
        if state.segment.length == 0 {
            journal::remove(&self.books.path, state.segment.number);
        }
    }
}

fn keep(books: &Books, sqlite: &Sqlite) {
    loop {
        let state = books.state();
        let wait = |state: &mut super::State| !state.stop && state.segment.length < MUCH;
        let waited = books.much.wait_timeout_while(state, PAUSE, wait);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let stop = state.stop;
        drop(state);
        books.move_on(sqlite);
        if stop {
            return;
        }
    }
}

impl Books {
    fn move_on(&self, sqlite: &Sqlite) {
        let batch = match self.next() {
            Ok(Some(batch)) => batch,
            Ok(None) => return,
            Err(Failure(why)) => return self.fail(why),
        };
        match sqlite.alone(|connection| write(connection, &batch)) {
            Ok(()) => self.state().moved(),
            Err(Failure(why)) => return self.fail(why),
        }
        self.moved.notify_waiters();
        sync(&self.path);
        journal::remove(&self.path, batch.segment);
    }

    /// What could not be moved before, or what has gathered since.
    fn next(&self) -> Result<Option<Arc<Batch>>, Failure> {
        let mut state = self.state();
        if state.moving.segment > 0 {
            return Ok(Some(Arc::clone(&state.moving)));
        }
        if state.segment.length == 0 {
            return Ok(None);
        }
        let number = state.segment.number;
        let next = Segment::create(&self.path, number + 1)
            .map_err(|error| Failure(format!("no new journal can be made: {error}")))?;
        state.moving = state.take(number);
        state.segment = next;
        Ok(Some(Arc::clone(&state.moving)))
    }

    fn fail(&self, why: String) {
        tracing::error!(why, "the store cannot be written; what was answered is in the journal");
        self.state().failed = Some(why);
        self.moved.notify_waiters();
    }
}

/// The last segment whose changes are in the file.
pub(super) fn applied(connection: &Connection) -> Result<u64, Failure> {
    let applied = connection.query_row("SELECT applied FROM journal", [], |row| row.get(0));
    Ok(applied.map(unsigned)?)
}

pub(super) fn write(connection: &mut Connection, batch: &Batch) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    logs::save(&transaction, &batch.entries)?;
    accounts::save(&transaction, &batch.accounts)?;
    let applied = params![signed(batch.segment)];
    transaction.prepare_cached("UPDATE journal SET applied = ?1")?.execute(applied)?;
    Ok(transaction.commit()?)
}

/// Waits until the disk has what was committed. Nobody else waits for it: the connection is free meanwhile.
pub(super) fn sync(path: &Path) {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if let Err(error) = File::open(wal).and_then(|wal| wal.sync_data()) {
        tracing::warn!(%error, "the disk does not say that it has what was written");
    }
}
