//! Child processes: each leads its own group, which ends with it.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::net::TcpStream;
use tokio::process::{Child as Process, Command};

/// How long a server may take until it accepts connections. Wrangler and Java start slowly on a busy machine.
pub const START: Duration = Duration::from_secs(90);

static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A running child; dropping it ends its whole group.
pub struct Child {
    process: Process,
    pid: Pid,
    log: PathBuf,
}

impl Child {
    /// Starts a command with its output appended to `log`.
    pub fn spawn(command: &mut Command, log: &Path) -> Result<Self, String> {
        let out = append(log)?;
        let err = out.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        let process = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", command.as_std().get_program().to_string_lossy()))?;
        let raw = process.id().and_then(|id| i32::try_from(id).ok()).ok_or("the child has ended already")?;
        let pid = Pid::from_raw(raw).ok_or("the child has no id")?;
        GROUPS.lock().unwrap().insert(raw);
        Ok(Self { process, pid, log: log.to_owned() })
    }

    /// The process's id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal to the process itself.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid, signal);
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) {
        let _ = self.process.wait().await;
    }

    /// Kills the group and waits until its leader is gone.
    pub async fn kill(mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.ended().await;
    }

    /// Waits until something accepts connections on a port; fails early when the child ends.
    pub async fn listens(&mut self, port: u16) -> Result<(), String> {
        let start = tokio::time::Instant::now();
        while start.elapsed() < START {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("a child ended with {status} before it listened:\n{}", self.tail()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("nothing listens on port {port}:\n{}", self.tail()))
    }

    /// The last lines of its output.
    pub fn tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        GROUPS.lock().unwrap().remove(&self.pid.as_raw_nonzero().get());
    }
}

/// Ends every group that is still running.
pub fn end_all() {
    for raw in std::mem::take(&mut *GROUPS.lock().unwrap()) {
        if let Some(pid) = Pid::from_raw(raw) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// A port on loopback that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn append(path: &Path) -> Result<File, String> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|e| format!("{}: {e}", path.display()))
}
