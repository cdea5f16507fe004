//! The wall: an upstream on loopback in the OpenAI dialect whose model name picks the fault.
//!
//! A model is `fault:number~tag`, for example `cut:5~left-by-rst`. Counters, bodies and gates are kept by tag, so
//! that tests which run at once do not see each other. The faults are in [`fault::Fault`].

mod dialect;
pub mod embed;
pub mod fault;
mod play;
mod script;
mod stats;
#[cfg(test)]
mod tests;
mod tools;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;

pub use self::dialect::{ODD, ODD_TEXT, ODD_WHOLE};
use self::stats::Book;
pub use self::stats::{Call, End, Stats};
use crate::client::LIMIT;

/// A running wall; it ends with the process.
pub struct Wall {
    /// For example `http://127.0.0.1:4000/v1`: what a target's `base_url` is.
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    book: Mutex<Book>,
    changed: Notify,
}

impl Wall {
    /// Starts a wall on a free port.
    pub async fn start() -> Result<Self, String> {
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| format!("the wall: {error}"))?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let shared = Arc::<Shared>::default();
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { url: format!("http://127.0.0.1:{port}/v1"), shared })
    }

    /// What a tag's calls did so far. The empty tag's `waiting_max` is over all tags.
    pub fn stats(&self, tag: &str) -> Stats {
        self.shared.book.lock().unwrap().tags.get(tag).cloned().unwrap_or_default()
    }

    /// The request bodies of a tag, in the order they came.
    pub fn bodies(&self, tag: &str) -> Vec<String> {
        self.stats(tag).list.into_iter().map(|call| call.body).collect()
    }

    /// Lets a tag's held call, and every later one, go on.
    pub fn release(&self, tag: &str) {
        self.shared.book.lock().unwrap().released.insert(tag.to_owned());
        self.shared.changed.notify_waiters();
    }

    /// Waits until a tag's calls look like this; the error says what they look like instead.
    pub async fn until(&self, tag: &str, wanted: impl Fn(&Stats) -> bool) -> Result<Stats, String> {
        let start = tokio::time::Instant::now();
        loop {
            let stats = self.stats(tag);
            if wanted(&stats) {
                return Ok(stats);
            }
            if start.elapsed() > LIMIT {
                return Err(format!("the wall never saw what was expected of {tag:?}: {stats:?}"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(play::connection(stream, Arc::clone(&shared)));
    }
}

impl Shared {
    async fn released(&self, tag: &str) {
        loop {
            let changed = self.changed.notified();
            if self.book.lock().unwrap().released.contains(tag) {
                return;
            }
            changed.await;
        }
    }
}
