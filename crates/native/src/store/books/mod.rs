//! Accounts and logs: changed in memory, kept by the journal, moved into the file by the keeper.
//!
//! A change is written to the journal before it is answered, so it outlives the process; the keeper moves what has
//! gathered into SQLite within a second and waits for the disk, so a power cut takes about a second at most.

mod accounts;
mod journal;
mod keeper;
mod logs;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use opencode_core::host::{Appended, Closed, Held, Hold, Key, Spent, StoreError, Time};
use opencode_core::ledger::counters::{Account, Outcome};
use rusqlite::Connection;
use tokio::sync::Notify;

use super::Failure;
use journal::{Change, Segment};
pub(super) use keeper::Keeper;

/// How much gathers before the keeper is called, in bytes of the journal.
const MUCH: u64 = 1024 * 1024;
/// How much may wait to be moved; the next callers wait for the keeper.
const MOST: u64 = 8 * 1024 * 1024;

/// What is in memory, and the journal.
pub(super) struct Books {
    path: PathBuf,
    state: Mutex<State>,
    /// Calls the keeper.
    much: Condvar,
    /// Tells callers that the keeper has moved something, or failed to.
    moved: Notify,
}

/// An entry of a log.
#[derive(Clone)]
struct Kept {
    value: Bytes,
    /// When it may be forgotten.
    expires: Option<Time>,
}

/// Entries by log and id.
type Entries = BTreeMap<Key, BTreeMap<String, Kept>>;

struct State {
    segment: Segment,
    /// All there are; one that is as if it were not is dropped when it is moved.
    accounts: BTreeMap<Key, Account>,
    /// Those that the segment changes.
    touched: BTreeSet<Key>,
    /// Those of the segment.
    entries: Entries,
    /// What the keeper is moving: of the segments before.
    moving: Arc<Batch>,
    /// By log, no entry of the file alone has a greater id. Logs are added as they are looked up.
    newest: HashMap<Key, String>,
    /// Why the keeper could not move anything, the last time it tried.
    failed: Option<String>,
    stop: bool,
}

/// What goes into the file in one transaction.
#[derive(Default)]
struct Batch {
    /// The last segment of which it is; 0 when there is nothing.
    segment: u64,
    length: u64,
    entries: Entries,
    /// `None` for an account that is as if it were not.
    accounts: Vec<(Key, Option<Account>)>,
}

/// How many logs' newest ids are remembered.
const LOGS: usize = 4_096;

impl Books {
    /// Reads the accounts, and moves into the file what lies in segments that it has not seen.
    pub(super) fn open(connection: &mut Connection, path: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure(format!("the journal: {error}"));
        let accounts = accounts::load(connection)?;
        let applied = keeper::applied(connection)?;
        let (old, left): (Vec<u64>, Vec<u64>) =
            journal::segments(path).map_err(failed)?.into_iter().partition(|number| *number <= applied);
        let last = left.last().copied().unwrap_or(applied);
        // Written to only once those before it are in the file.
        let segment = Segment::create(path, last + 1).map_err(failed)?;
        let mut state = State::new(segment, accounts);
        for number in &left {
            let (changes, whole) = journal::read(path, *number).map_err(failed)?;
            if !whole {
                tracing::warn!(
                    segment = number,
                    "the journal's last change was not written whole and is left out"
                );
            }
            for (change, value) in changes {
                state.replay(change, value);
            }
        }
        let batch = state.take(last);
        if !left.is_empty() {
            keeper::write(connection, &batch)?;
            keeper::sync(path);
        }
        old.iter().chain(&left).for_each(|number| journal::remove(path, *number));
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(state),
            much: Condvar::new(),
            moved: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for another change.
    async fn room(&self) -> Result<(), StoreError> {
        if self.state().waiting() < MOST {
            return Ok(());
        }
        loop {
            let mut moved = pin!(self.moved.notified());
            moved.as_mut().enable();
            {
                let state = self.state();
                if state.waiting() < MOST {
                    return Ok(());
                }
                if let Some(why) = &state.failed {
                    return Err(StoreError(why.clone()));
                }
            }
            moved.await;
        }
    }

    /// Calls the keeper once when much has gathered.
    fn gathered(&self, before: u64, after: u64) {
        if before < MUCH && after >= MUCH {
            self.much.notify_one();
        }
    }
}

impl State {
    fn new(segment: Segment, accounts: BTreeMap<Key, Account>) -> Self {
        Self {
            segment,
            accounts,
            touched: BTreeSet::new(),
            entries: Entries::new(),
            moving: Arc::default(),
            newest: HashMap::new(),
            failed: None,
            stop: false,
        }
    }

    /// How much has not been moved yet, in bytes.
    fn waiting(&self) -> u64 {
        self.segment.length + self.moving.length
    }

    fn write(&mut self, change: &Change, value: &[u8]) -> Result<(), StoreError> {
        self.segment.write(change, value).map_err(|error| StoreError(format!("the journal: {error}")))
    }

    fn hold(&mut self, hold: &Hold) -> Result<Held, StoreError> {
        let (held, taken) = self.take_all(hold);
        if taken.is_empty() {
            return Ok(held);
        }
        if let Err(error) = self.write(&Change::Hold(Cow::Borrowed(hold)), &[]) {
            for key in &taken {
                let Some(account) = self.accounts.get_mut(key) else { continue };
                account.close(&hold.id, &[]);
            }
            return Err(error);
        }
        Ok(held)
    }

    /// What became of the hold, and the accounts it was taken on.
    fn take_all(&mut self, hold: &Hold) -> (Held, Vec<Key>) {
        let mut taken = Vec::new();
        for (place, takes) in hold.accounts.iter().enumerate() {
            let key = &takes.account;
            if !self.accounts.contains_key(key) {
                self.accounts.insert(key.clone(), Account::default());
            }
            let Some(account) = self.accounts.get_mut(key) else { continue };
            // Touched in any case: one that came into being and took nothing is dropped by that.
            if !self.touched.contains(key) {
                self.touched.insert(key.clone());
            }
            match account.hold(&hold.id, hold.lease, &hold.note, &takes.takes) {
                Outcome::Taken => taken.push(key.clone()),
                Outcome::Already => {}
                Outcome::Short { counter, left } => {
                    return (Held::Short { account: place, counter, left }, taken);
                }
            }
        }
        (if taken.is_empty() { Held::Already } else { Held::Held }, taken)
    }

    fn close(&mut self, id: &str, spent: &[Spent]) -> Result<Closed, StoreError> {
        let open = |spent: &Spent| {
            self.accounts.get(&spent.account).is_some_and(|account| account.holds.contains_key(id))
        };
        if !spent.iter().any(open) {
            return Ok(Closed::Already);
        }
        self.write(&Change::Close { id: Cow::Borrowed(id), spent: Cow::Borrowed(spent) }, &[])?;
        self.close_all(id, spent);
        Ok(Closed::Closed)
    }

    fn close_all(&mut self, id: &str, spent: &[Spent]) {
        for Spent { account: key, spent } in spent {
            if self.accounts.get_mut(key).is_some_and(|account| account.close(id, spent)) {
                self.touched.insert(key.clone());
            }
        }
    }

    /// Stores an entry, unless memory has it; `None` where the file has to be asked whether it does.
    fn append(&mut self, log: &Key, id: &str, kept: &Kept) -> Result<Option<Appended>, StoreError> {
        let has = |entries: &Entries| entries.get(log).is_some_and(|entries| entries.contains_key(id));
        if has(&self.entries) || has(&self.moving.entries) {
            return Ok(Some(Appended::Already));
        }
        if self.newest.get(log).is_none_or(|newest| id <= newest.as_str()) {
            return Ok(None);
        }
        self.add(log, id, kept).map(Some)
    }

    fn add(&mut self, log: &Key, id: &str, kept: &Kept) -> Result<Appended, StoreError> {
        let change = Change::Append { log: Cow::Borrowed(log), id: Cow::Borrowed(id), expires: kept.expires };
        self.write(&change, &kept.value)?;
        self.insert(log, id, kept.clone());
        Ok(Appended::New)
    }

    fn insert(&mut self, log: &Key, id: &str, kept: Kept) {
        match self.entries.get_mut(log) {
            Some(entries) => {
                entries.insert(id.to_owned(), kept);
            }
            None => {
                self.entries.insert(log.clone(), BTreeMap::from([(id.to_owned(), kept)]));
            }
        }
    }

    /// A change that was answered by the process before.
    fn replay(&mut self, change: Change, value: Bytes) {
        match change {
            Change::Hold(hold) => {
                self.take_all(&hold);
            }
            Change::Close { id, spent } => self.close_all(&id, &spent),
            Change::Append { log, id, expires } => {
                let log: &Key = &log;
                if !self.entries.get(log).is_some_and(|entries| entries.contains_key(id.as_ref())) {
                    self.insert(log, &id, Kept { value, expires });
                }
            }
        }
    }

    /// What has gathered up to and with a segment, to be moved.
    fn take(&mut self, segment: u64) -> Arc<Batch> {
        let mut accounts = Vec::with_capacity(self.touched.len());
        for key in std::mem::take(&mut self.touched) {
            let account = self.accounts.get(&key).filter(|account| !account.is_fresh()).cloned();
            if account.is_none() {
                self.accounts.remove(&key);
            }
            accounts.push((key, account));
        }
        let entries = std::mem::take(&mut self.entries);
        Arc::new(Batch { segment, length: self.segment.length, entries, accounts })
    }

    /// What was being moved is in the file.
    fn moved(&mut self) {
        let batch = std::mem::take(&mut self.moving);
        for (log, entries) in &batch.entries {
            if let (Some(newest), Some((last, _))) = (self.newest.get_mut(log), entries.last_key_value())
                && *newest < *last
            {
                newest.clone_from(last);
            }
        }
        self.failed = None;
    }

    /// What the file says of a log's ids.
    fn learn(&mut self, log: &Key, newest: String) {
        if self.newest.len() >= LOGS {
            self.newest.clear();
        }
        // The file is not asked while it is being written, so what it says is never older than what is known.
        self.newest.insert(log.clone(), newest);
    }
}
