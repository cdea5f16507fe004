//! Virtual time: one thread polls what is ready, in an order of the seed's choosing; when nothing is, the clock jumps
//! to the next timer.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{self, Future};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::ports::generate::Random;

/// Polls of one scene, far more than any needs: beyond it something runs in circles.
const MAX_POLLS: u64 = 3_000_000;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The clock and its tasks; cloning hands out the same one.
#[derive(Clone)]
pub struct Clock(Rc<Inner>);

struct Inner {
    now: Cell<u64>,
    /// Of tasks and timers.
    next: Cell<u64>,
    tasks: RefCell<BTreeMap<u64, Task>>,
    ready: Arc<Mutex<BTreeSet<u64>>>,
    /// By when they are due, then by when they were set.
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    random: RefCell<Random>,
}

/// A task that was spawned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskId(u64);

impl Clock {
    /// A clock that stands at `now`, in Unix milliseconds.
    pub fn new(now: u64, seed: u64) -> Self {
        Self(Rc::new(Inner {
            now: Cell::new(now),
            next: Cell::new(0),
            tasks: RefCell::default(),
            ready: Arc::default(),
            timers: RefCell::default(),
            random: RefCell::new(Random::new(seed)),
        }))
    }

    /// Unix milliseconds.
    pub fn now(&self) -> u64 {
        self.0.now.get()
    }

    /// Begins a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) -> TaskId {
        let id = self.number();
        self.0.tasks.borrow_mut().insert(id, Box::pin(task));
        lock(&self.0.ready).insert(id);
        TaskId(id)
    }

    /// Drops a task where it stands, as a crash does; false when it has ended.
    pub fn kill(&self, task: TaskId) -> bool {
        let killed = self.0.tasks.borrow_mut().remove(&task.0);
        // What a task holds may set or cancel timers as it is dropped: nothing is borrowed here.
        killed.is_some()
    }

    /// Waits until `due`.
    pub fn until(&self, due: u64) -> Timer {
        Timer { clock: self.clone(), due, key: None }
    }

    /// Waits for so many milliseconds.
    pub fn sleep(&self, millis: u64) -> Timer {
        self.until(self.now().saturating_add(millis))
    }

    /// Runs until every task has ended. The error says that they never will.
    pub fn run(&self) -> Result<(), String> {
        let mut polls = 0_u64;
        loop {
            while let Some(id) = self.pick() {
                polls += 1;
                if polls > MAX_POLLS {
                    return Err("something runs in circles and time stands still".to_owned());
                }
                self.poll(id);
            }
            if self.0.tasks.borrow().is_empty() {
                return Ok(());
            }
            if !self.jump() {
                let tasks = self.0.tasks.borrow().len();
                return Err(format!("{tasks} tasks wait for something that never happens"));
            }
        }
    }

    fn pick(&self) -> Option<u64> {
        let mut ready = lock(&self.0.ready);
        let count = ready.len() as u64;
        let place = if count > 1 { self.0.random.borrow_mut().below(count) } else { 0 };
        let id = ready.iter().nth(usize::try_from(place).unwrap_or(0)).copied()?;
        ready.remove(&id);
        Some(id)
    }

    fn poll(&self, id: u64) {
        let Some(mut task) = self.0.tasks.borrow_mut().remove(&id) else { return };
        let waker = Waker::from(Arc::new(Wakes { id, ready: Arc::clone(&self.0.ready) }));
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.0.tasks.borrow_mut().insert(id, task);
        }
    }

    /// To the next timer; false when there is none.
    fn jump(&self) -> bool {
        let Some((&(due, _), _)) = self.0.timers.borrow().first_key_value() else { return false };
        self.0.now.set(due.max(self.now()));
        let later = self.0.timers.borrow_mut().split_off(&(due.saturating_add(1), 0));
        let woken = self.0.timers.replace(later);
        woken.into_values().for_each(Waker::wake);
        true
    }

    fn number(&self) -> u64 {
        self.0.next.replace(self.0.next.get() + 1)
    }
}

/// Ends when its time has come. Dropping it cancels it.
pub struct Timer {
    clock: Clock,
    due: u64,
    key: Option<(u64, u64)>,
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.now() >= self.due {
            return Poll::Ready(());
        }
        let key = self.key.unwrap_or_else(|| (self.due, self.clock.number()));
        self.key = Some(key);
        self.clock.0.timers.borrow_mut().insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.clock.0.timers.borrow_mut().remove(&key);
        }
    }
}

/// Something that happens once and that many may wait for, again and again.
#[derive(Default)]
pub struct Flag {
    set: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Flag {
    /// It has happened.
    pub fn set(&self) {
        self.set.set(true);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Whether it has.
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Waits for it.
    pub async fn wait(&self) {
        future::poll_fn(|context| {
            if self.set.get() {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

struct Wakes {
    id: u64,
    ready: Arc<Mutex<BTreeSet<u64>>>,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        lock(&self.ready).insert(self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_only_while_nothing_is_ready() {
        let clock = Clock::new(1_000, 1);
        let seen: Rc<RefCell<Vec<(u64, &str)>>> = Rc::default();
        let note = |name: &'static str, wait: u64| {
            let (clock, seen) = (clock.clone(), Rc::clone(&seen));
            async move {
                clock.sleep(wait).await;
                seen.borrow_mut().push((clock.now(), name));
            }
        };
        clock.spawn(note("later", 86_400_000));
        clock.spawn(note("soon", 5));
        let killed = clock.spawn(note("never", 7));
        assert!(clock.kill(killed) && !clock.kill(killed));
        assert_eq!(clock.run(), Ok(()));
        assert_eq!(*seen.borrow(), [(1_005, "soon"), (86_401_000, "later")]);
    }

    #[test]
    fn what_never_happens_is_said() {
        let clock = Clock::new(0, 1);
        clock.spawn(future::pending());
        assert!(clock.run().unwrap_err().contains("never happens"));
        let clock = Clock::new(0, 1);
        clock.spawn(future::poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        assert!(clock.run().unwrap_err().contains("circles"));
    }
}
