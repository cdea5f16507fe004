//! AWS Lambda's Runtime API, stricter than life: the process stops the moment its response ends.
//!
//! A [`Pool`] has a fixed number of slots with one process each. A process is continued when an event is handed to
//! its slot and stopped by SIGSTOP when its response has been read, before it learns that it was. What it did not
//! store by then is not stored. A process that dies is replaced in its slot.

pub mod event;
pub mod front;
mod protocol;
mod slot;
pub mod work;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::process::Command;
use tokio::sync::{Mutex, mpsc};

use self::slot::{Job, Slot};
use crate::child::START;

/// How long an invocation may take; then its process is killed, as Lambda does.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Makes the command of a function's process, but for the address of its Runtime API.
pub type Function = Arc<dyn Fn() -> Result<Command, String> + Send + Sync>;

/// Processes of one function.
pub struct Pool {
    slots: Vec<Arc<Slot>>,
    idle: Mutex<mpsc::UnboundedReceiver<usize>>,
    freed: mpsc::UnboundedSender<usize>,
}

/// A part of a response.
#[derive(Debug)]
pub enum Part {
    /// Bytes of the response, prelude included.
    Data(Bytes),
    /// The response is complete and its process stopped.
    Done,
    /// The function failed, died or took too long.
    Failed(String),
}

/// A running invocation. Dropping it does not end it.
pub struct Invocation {
    parts: mpsc::UnboundedReceiver<Part>,
}

impl Pool {
    /// Starts `size` processes and waits until each has asked for its first event.
    pub async fn start(function: Function, size: usize, log: &Path) -> Result<Arc<Self>, String> {
        let (freed, idle) = mpsc::unbounded_channel();
        let mut slots = Vec::new();
        for index in 0..size {
            slots.push(Slot::start(index, Arc::clone(&function), log, freed.clone()).await?);
        }
        for slot in &slots {
            slot.ready(START).await?;
            let _ = freed.send(slot.index);
        }
        Ok(Arc::new(Self { slots, idle: Mutex::new(idle), freed }))
    }

    /// Hands an event to the first idle process; waits for one.
    pub async fn invoke(&self, event: Vec<u8>) -> Invocation {
        let index = self.idle.lock().await.recv().await.unwrap_or_default();
        let (reply, parts) = mpsc::unbounded_channel();
        match self.slots.get(index) {
            Some(slot) => slot.hand(Job { event, reply }),
            None => drop(self.freed.send(index)),
        }
        Invocation { parts }
    }

    /// Kills every process, in the middle of what it does; fresh ones take the slots.
    pub fn kill(&self) {
        self.slots.iter().for_each(|slot| slot.kill());
    }

    /// Ends every process for good.
    pub fn stop(&self) {
        self.slots.iter().for_each(|slot| slot.stop());
    }
}

impl Invocation {
    /// The next part. After `Done` or `Failed` there is none.
    pub async fn part(&mut self) -> Part {
        self.parts.recv().await.unwrap_or_else(|| Part::Failed("the invocation was lost".to_owned()))
    }

    /// The whole response.
    pub async fn whole(&mut self) -> Result<Bytes, String> {
        let mut whole = BytesMut::new();
        loop {
            match self.part().await {
                Part::Data(bytes) => whole.extend_from_slice(&bytes),
                Part::Done => return Ok(whole.freeze()),
                Part::Failed(why) => return Err(why),
            }
        }
    }
}
