//! Every store in one SQLite file, behind one thread that owns the connection.
//!
//! What waits is committed together, so that many callers share one write to the disk; each job has its savepoint,
//! so that one that fails does not take the others with it. Nothing is answered before its commit is on the disk.

mod accounts;
mod logs;
pub(crate) mod queue;
mod records;
mod schema;
#[cfg(test)]
mod tests;
mod values;

use std::path::Path;

use opencode_core::host::StoreError;
use rusqlite::{Connection, Savepoint, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

/// How many jobs share one commit.
const BATCH: usize = 64;
/// How many jobs may wait; the next callers wait for room.
const WAITING: usize = 1_024;

/// A handle on the stores. Clones share the connection, which closes with the last of them.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
}

/// Runs inside the batch's transaction and returns what is to be said once its fate is known.
type Job = Box<dyn FnOnce(&mut Transaction<'_>) -> Tell + Send>;
type Tell = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

impl Store {
    /// Opens or makes the file, whose folder must exist. Fails on a file that is not ours to read: no database,
    /// not writable, or written by a newer version. Blocks while it does so.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = schema::open(path).map_err(|Failure(why)| StoreError(why))?;
        let (jobs, waiting) = mpsc::channel(WAITING);
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || work(connection, waiting))
            .map_err(|error| StoreError(format!("no thread for the store: {error}")))?;
        Ok(Self { jobs })
    }

    /// Runs `work` in the store's thread and answers when it is committed. A caller that stops waiting does not
    /// stop the work.
    async fn call<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Savepoint<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let done = apart(transaction, work).map_err(|Failure(why)| StoreError(why));
            Box::new(move |committed| {
                let _ = tell.send(committed.and(done));
            })
        });
        let lost = || StoreError("the database is locked or out of reach".to_owned());
        self.jobs.send(job).await.map_err(|_| lost())?;
        told.await.map_err(|_| lost())?
    }
}

/// Why a job failed.
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

fn work(mut connection: Connection, mut waiting: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
        commit(&mut connection, &mut batch);
    }
}

fn commit(connection: &mut Connection, batch: &mut Vec<Job>) {
    let mut tells = Vec::with_capacity(batch.len());
    let committed: rusqlite::Result<()> = (|| {
        let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tells.extend(batch.drain(..).map(|job| job(&mut transaction)));
        transaction.commit()
    })();
    // Where no transaction could be begun, the jobs are dropped unrun and their callers see that.
    batch.clear();
    let committed = committed.map_err(|error| {
        tracing::error!(%error, "the store cannot commit");
        StoreError(error.to_string())
    });
    for tell in tells {
        tell(committed.clone());
    }
}

/// Runs one job in a savepoint of its own.
fn apart<T>(
    transaction: &mut Transaction<'_>,
    work: impl FnOnce(&Savepoint<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let savepoint = transaction.savepoint()?;
    let value = work(&savepoint)?;
    savepoint.commit()?;
    Ok(value)
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
