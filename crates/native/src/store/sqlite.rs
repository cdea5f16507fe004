//! One connection for many callers.
//!
//! No thread of its own: whoever finds the connection free commits what waits, its own job and the others', so that
//! a lone caller wakes nobody and many callers share one commit. Each job of more than one statement has its savepoint,
//! so that one that fails does not take the others with it. Nothing is answered before its commit.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use opencode_core::host::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Semaphore, oneshot};

use super::Failure;

/// How many jobs share one commit.
const BATCH: usize = 64;
/// How many jobs may wait; the next callers wait for room.
const WAITING: usize = 1_024;

/// A handle on the connection, which closes with the last of them.
#[derive(Clone)]
pub(super) struct Sqlite(Arc<Inner>);

struct Inner {
    connection: Mutex<Connection>,
    waiting: Mutex<VecDeque<Job>>,
    room: Semaphore,
    /// Whether the last commit was shared, or had to wait for another.
    crowded: AtomicBool,
}

/// Work of one caller.
struct Job {
    /// Whether it has more than one statement: those need a transaction, and one statement is one.
    several: bool,
    /// Runs, and returns whether to keep what it did, and what is to be said once its fate is known.
    run: Run,
}

type Run = Box<dyn FnOnce(&Connection) -> (bool, Tell) + Send>;

type Tell = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

impl Sqlite {
    pub(super) fn new(connection: Connection) -> Self {
        let waiting = Mutex::new(VecDeque::with_capacity(BATCH));
        let (connection, room) = (Mutex::new(connection), Semaphore::new(WAITING));
        Self(Arc::new(Inner { connection, waiting, room, crowded: AtomicBool::new(false) }))
    }

    /// Runs `work`, with others, in one transaction, and answers when it is committed. A caller that stops waiting
    /// does not stop the work.
    pub(super) async fn call<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        self.submit(true, work).await
    }

    /// The same for work of a single statement, which needs no savepoint: SQLite undoes it whole.
    pub(super) async fn single<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        self.submit(false, work).await
    }

    /// Runs `work` on this thread once the connection is free; then commits what waited meanwhile.
    pub(super) fn alone<T>(&self, work: impl FnOnce(&mut Connection) -> T) -> T {
        let _commits = Commits(&self.0);
        let mut connection = self.0.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection)
    }

    #[cfg(test)]
    pub(super) fn crowd(&self) {
        self.0.crowded.store(true, Ordering::Relaxed);
    }

    async fn submit<T, F>(&self, several: bool, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let lost = || StoreError("the database is locked or out of reach".to_owned());
        let _room = self.0.room.acquire().await.map_err(|_| lost())?;
        let (tell, mut told) = oneshot::channel();
        let run = Box::new(move |connection: &Connection| -> (bool, Tell) {
            let done = work(connection).map_err(|Failure(why)| StoreError(why));
            let keep = done.is_ok();
            let tell = move |committed: Result<(), StoreError>| {
                let _ = tell.send(committed.and(done));
            };
            (keep, Box::new(tell))
        });
        self.0.waiting().push_back(Job { several, run });
        let commits = Commits(&self.0);
        // In a crowd, what else is ready on this thread comes along.
        if self.0.crowded.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        drop(commits);
        match told.try_recv() {
            Ok(told) => told,
            Err(TryRecvError::Empty) => told.await.map_err(|_| lost())?,
            Err(TryRecvError::Closed) => Err(lost()),
        }
    }
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
            let connection = match self.connection.try_lock() {
                Ok(connection) => connection,
                Err(TryLockError::WouldBlock) => return self.crowded.store(true, Ordering::Relaxed),
                // A job panicked: what it left open is undone below, and the others go on.
                Err(TryLockError::Poisoned(poisoned)) => {
                    self.connection.clear_poison();
                    poisoned.into_inner()
                }
            };
            if !connection.is_autocommit() {
                let _ = run(&connection, "ROLLBACK");
            }
            loop {
                let batch: Vec<Job> = {
                    let mut waiting = self.waiting();
                    let size = waiting.len().min(BATCH);
                    waiting.drain(..size).collect()
                };
                if batch.is_empty() {
                    break;
                }
                self.crowded.store(batch.len() > 1, Ordering::Relaxed);
                commit(&connection, batch);
            }
        }
    }
}

/// Runs a batch as one transaction, unless it is a single statement.
fn commit(connection: &Connection, mut batch: Vec<Job>) {
    let alone = batch.len() == 1;
    if alone && let Some(job) = batch.pop_if(|job| !job.several) {
        let (_, tell) = (job.run)(connection);
        return tell(Ok(()));
    }
    let mut tells = Vec::with_capacity(batch.len());
    // Where no transaction could be begun, the jobs are dropped unrun and their callers see that.
    let committed: rusqlite::Result<()> = (|| {
        run(connection, "BEGIN IMMEDIATE")?;
        let mut keep = true;
        for job in batch {
            // SQLite undoes a single statement whole, and a lone job with its transaction.
            let apart = job.several && !alone;
            if apart {
                run(connection, "SAVEPOINT job")?;
            }
            let (done, tell) = (job.run)(connection);
            tells.push(tell);
            keep &= done || !alone;
            if apart {
                if !done {
                    run(connection, "ROLLBACK TO job")?;
                }
                run(connection, "RELEASE job")?;
            }
        }
        run(connection, if keep { "COMMIT" } else { "ROLLBACK" })
    })();
    let committed = committed.map_err(|error| {
        tracing::error!(%error, "the store cannot commit");
        if !connection.is_autocommit() {
            let _ = run(connection, "ROLLBACK");
        }
        StoreError(error.to_string())
    });
    for tell in tells {
        tell(committed.clone());
    }
}

/// A statement without parameters and rows, parsed once.
fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}
