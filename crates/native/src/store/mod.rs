//! Every store in one SQLite file.
//!
//! No thread of its own: whoever finds the connection free commits what waits, its own job and the others', so that
//! a lone caller wakes nobody and many callers share one commit. Each job that writes more than one row has its
//! savepoint, so that one that fails does not take the others with it. Nothing is answered before its commit.

mod accounts;
mod logs;
pub(crate) mod queue;
mod records;
mod schema;
#[cfg(test)]
mod tests;
mod values;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opencode_core::host::StoreError;
use rusqlite::{Connection, Savepoint, Transaction, TransactionBehavior};
use tokio::sync::{Semaphore, oneshot};

/// How many jobs share one commit.
const BATCH: usize = 64;
/// How many jobs may wait; the next callers wait for room.
const WAITING: usize = 1_024;

/// A handle on the stores. Clones share the connection, which closes with the last of them.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    connection: Mutex<Connection>,
    waiting: Mutex<VecDeque<Job>>,
    room: Semaphore,
}

/// Runs and returns what is to be said once its fate is known.
enum Job {
    /// Several statements: in the batch's transaction.
    Several(Box<dyn FnOnce(&mut Transaction<'_>) -> Tell + Send>),
    /// One statement, which is a transaction of its own where it is the whole batch.
    Single(Box<dyn FnOnce(&Connection) -> Tell + Send>),
}

type Tell = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

impl Store {
    /// Opens or makes the file, whose folder must exist. Fails on a file that is not ours to read: no database,
    /// not writable, or written by a newer version. Blocks while it does so.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = schema::open(path).map_err(|Failure(why)| StoreError(why))?;
        let waiting = Mutex::new(VecDeque::with_capacity(BATCH));
        let (connection, room) = (Mutex::new(connection), Semaphore::new(WAITING));
        Ok(Self(Arc::new(Inner { connection, waiting, room })))
    }

    /// Runs `work`, with others, in one transaction, and answers when it is committed. A caller that stops waiting
    /// does not stop the work.
    async fn call<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Savepoint<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let (tell, told) = tells();
        let work = move |transaction: &mut Transaction<'_>| tell(apart(transaction, work));
        self.submit(Job::Several(Box::new(work)), told).await
    }

    /// The same for work of a single statement, which needs no savepoint: SQLite undoes it whole.
    async fn single<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let (tell, told) = tells();
        let work = move |connection: &Connection| tell(work(connection));
        self.submit(Job::Single(Box::new(work)), told).await
    }

    async fn submit<T>(&self, job: Job, mut told: Told<T>) -> Result<T, StoreError> {
        let lost = || StoreError("the database is locked or out of reach".to_owned());
        let _room = self.0.room.acquire().await.map_err(|_| lost())?;
        self.0.waiting().push_back(job);
        let commits = Commits(&self.0);
        // What else is ready on this thread comes along.
        tokio::task::yield_now().await;
        drop(commits);
        match told.try_recv() {
            Ok(told) => told,
            Err(_) => told.await.map_err(|_| lost())?,
        }
    }
}

type Told<T> = oneshot::Receiver<Result<T, StoreError>>;

/// Where a job's outcome goes, and where it is waited for.
fn tells<T: Send + 'static>() -> (impl FnOnce(Result<T, Failure>) -> Tell + Send, Told<T>) {
    let (tell, told) = oneshot::channel();
    let outcome = move |done: Result<T, Failure>| -> Tell {
        let done = done.map_err(|Failure(why)| StoreError(why));
        Box::new(move |committed: Result<(), StoreError>| {
            let _ = tell.send(committed.and(done));
        })
    };
    (outcome, told)
}

/// Commits what waits when it is dropped: also when its caller stops waiting.
struct Commits<'a>(&'a Inner);

impl Drop for Commits<'_> {
    fn drop(&mut self) {
        self.0.commit_all();
    }
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Job>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits until nothing waits, or leaves it to the one who is committing now.
    fn commit_all(&self) {
        // Whoever adds a job while another lets go of the connection meets an empty hand at one of these two looks.
        while !self.waiting().is_empty() {
            let Ok(mut connection) = self.connection.try_lock() else { return };
            loop {
                let batch: Vec<Job> = {
                    let mut waiting = self.waiting();
                    let size = waiting.len().min(BATCH);
                    waiting.drain(..size).collect()
                };
                if batch.is_empty() {
                    break;
                }
                commit(&mut connection, batch);
            }
        }
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

fn commit(connection: &mut Connection, mut batch: Vec<Job>) {
    match (batch.pop(), batch.is_empty()) {
        (Some(Job::Single(job)), true) => return job(connection)(Ok(())),
        (last, _) => batch.extend(last),
    }
    let mut tells = Vec::with_capacity(batch.len());
    // Where no transaction could be begun, the jobs are dropped unrun and their callers see that.
    let committed: rusqlite::Result<()> = (|| {
        let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tells.extend(batch.into_iter().map(|job| match job {
            Job::Several(job) => job(&mut transaction),
            Job::Single(job) => job(&transaction),
        }));
        transaction.commit()
    })();
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
