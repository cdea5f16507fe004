//! One slot: a process, its Runtime API, and the invocation that runs on it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{Function, Part, TIMEOUT, protocol};
use crate::child::Child;

/// An event for a process, and where its response goes.
pub(super) struct Job {
    pub(super) event: Vec<u8>,
    pub(super) reply: mpsc::UnboundedSender<Part>,
}

/// A place for one process at a time.
pub(super) struct Slot {
    pub(super) index: usize,
    pub(super) events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Job>>,
    function: Function,
    log: PathBuf,
    port: u16,
    queued: mpsc::UnboundedSender<Job>,
    freed: mpsc::UnboundedSender<usize>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pid: Option<Pid>,
    ready: bool,
    stopped: bool,
    running: Option<Running>,
    invocations: u64,
    deaths: u32,
}

struct Running {
    id: String,
    reply: mpsc::UnboundedSender<Part>,
}

impl Slot {
    pub(super) async fn start(
        index: usize,
        function: Function,
        log: &Path,
        freed: mpsc::UnboundedSender<usize>,
    ) -> Result<Arc<Self>, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let (queued, events) = mpsc::unbounded_channel();
        let events = tokio::sync::Mutex::new(events);
        let state = Mutex::default();
        let slot =
            Arc::new(Self { index, events, function, log: log.to_owned(), port, queued, freed, state });
        tokio::spawn(protocol::listen(listener, Arc::clone(&slot)));
        tokio::spawn(Arc::clone(&slot).supervise());
        Ok(slot)
    }

    /// Waits until the process has asked for its first event.
    pub(super) async fn ready(&self, limit: Duration) -> Result<(), String> {
        let start = tokio::time::Instant::now();
        while start.elapsed() < limit {
            let (ready, deaths) = {
                let state = self.state.lock().unwrap();
                (state.ready, state.deaths)
            };
            if ready {
                return Ok(());
            }
            if deaths > 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let tail = log.len().saturating_sub(2_000);
        Err(format!(
            "a function's process never asked for an event:\n{}",
            log.get(tail..).unwrap_or_default()
        ))
    }

    /// Queues an event and continues the process, which will ask for it.
    pub(super) fn hand(&self, job: Job) {
        let _ = self.queued.send(job);
        self.signal(Signal::CONT);
    }

    /// Notes that the process asks for an event.
    pub(super) fn asks(&self) {
        self.state.lock().unwrap().ready = true;
    }

    /// Notes that an event was handed out; gives its request id.
    pub(super) fn begin(self: &Arc<Self>, reply: mpsc::UnboundedSender<Part>) -> String {
        let mut state = self.state.lock().unwrap();
        state.invocations += 1;
        let id = format!("00000000-0000-4000-8000-{:04x}{:08x}", self.index, state.invocations);
        state.running = Some(Running { id: id.clone(), reply });
        tokio::spawn(Arc::clone(self).bound(id.clone()));
        id
    }

    /// A part of the response to this request.
    pub(super) fn part(&self, id: &str, part: Part) {
        if let Some(running) = self.state.lock().unwrap().running.as_ref().filter(|running| running.id == id)
        {
            let _ = running.reply.send(part);
        }
    }

    /// The response has ended: the process stops here, and only then does anybody learn that it has.
    pub(super) fn end(&self, id: &str, last: Part) {
        let mut state = self.state.lock().unwrap();
        let Some(running) = state.running.take_if(|running| running.id == id) else { return };
        if let Some(pid) = state.pid {
            let _ = kill_process(pid, Signal::STOP);
        }
        let _ = running.reply.send(last);
        let _ = self.freed.send(self.index);
    }

    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    pub(super) fn stop(&self) {
        self.state.lock().unwrap().stopped = true;
        self.kill();
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.state.lock().unwrap().pid {
            let _ = kill_process(pid, signal);
        }
    }

    /// Keeps a process in the slot.
    async fn supervise(self: Arc<Self>) {
        while !self.state.lock().unwrap().stopped {
            let started = (self.function)().and_then(|mut command| {
                command.env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{}", self.port));
                Child::spawn(&mut command, &self.log)
            });
            let Ok(mut child) = started else { return self.died("it could not be started") };
            self.state.lock().unwrap().pid = Some(child.pid());
            child.ended().await;
            self.died("its process ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn died(&self, why: &str) {
        let mut state = self.state.lock().unwrap();
        state.pid = None;
        state.deaths += 1;
        if let Some(running) = state.running.take() {
            let _ = running.reply.send(Part::Failed(why.to_owned()));
            let _ = self.freed.send(self.index);
        }
    }

    /// Kills the process if this request still runs when its time is up.
    async fn bound(self: Arc<Self>, id: String) {
        tokio::time::sleep(TIMEOUT).await;
        let late = self.state.lock().unwrap().running.as_ref().is_some_and(|running| running.id == id);
        if late {
            self.kill();
        }
    }
}
