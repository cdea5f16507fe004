//! Children that are this program again: each says in one line that it is ready, ends with us, and is started again when
//! it dies.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often a child that ended is started again, unless it lived well in between, and the pause before it, which
/// doubles.
const RESTARTS: u32 = 8;
/// See [`RESTARTS`].
const PAUSE: Duration = Duration::from_millis(250);
/// See [`RESTARTS`].
const WELL: Duration = Duration::from_secs(60);
/// How long a child may take to end once it was told to.
const END: Duration = Duration::from_secs(3);

/// A child, and the end of its life: it ends when this pipe closes, also when this process is killed. The pipe is kept
/// apart from the child because waiting for a child closes its own.
pub struct Running {
    child: Child,
    life: ChildStdin,
}

impl Running {
    async fn end(mut self) {
        drop(self.life);
        if tokio::time::timeout(END, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// Starts this program with these arguments, writes `input` to it, and waits for its first line.
pub async fn start(arguments: &[OsString], input: &str, load: Duration) -> Result<(Running, String), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let stdout = child.stdout.take().ok_or("its output cannot be read")?;
    let mut life = child.stdin.take().ok_or("it has no input")?;
    life.write_all(input.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(load, lines.next_line()).await;
    let line = line.map_err(|_| format!("it took more than {} s to load", load.as_secs()))?;
    let line = line.ok().flatten().ok_or("it ended while it was loading")?;
    Ok((Running { child, life }, line.trim().to_owned()))
}

/// Starts a child again when it dies, until that has failed too often. `name` is for the log.
pub async fn keep<Again: Future<Output = Result<Running, String>>>(
    name: &str,
    mut running: Running,
    again: impl Fn() -> Again,
    mut stop: watch::Receiver<bool>,
) {
    let mut failures = 0;
    loop {
        let born = Instant::now();
        if !ended(&mut running, &mut stop).await {
            return running.end().await;
        }
        if born.elapsed() > WELL {
            failures = 0;
        }
        running = loop {
            failures += 1;
            if failures > RESTARTS {
                return tracing::error!("{name} is given up");
            }
            tracing::warn!("the process of {name} ended; it is started again");
            let pause = PAUSE.saturating_mul(1 << failures.min(6));
            let again = async {
                tokio::time::sleep(pause).await;
                again().await
            };
            let again = tokio::select! {
                _ = stopped(&mut stop) => return,
                again = again => again,
            };
            match again {
                Ok(running) => break running,
                Err(error) => tracing::warn!(error, "{name} does not start"),
            }
        };
    }
}

/// Waits for the child to end (true), or for everything to end (false).
async fn ended(running: &mut Running, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = stopped(stop) => false,
        _ = running.child.wait() => true,
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A child ends when its parent does, and closes its stdin by that; Ctrl-C at the terminal reaches it too, but its parent
/// still has answers to finish. Anything else ends by Ctrl-C or SIGTERM.
pub fn told_to_end(child: bool) -> Result<impl Future<Output = ()>, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("signals cannot be listened for: {error}"));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        if child {
            // A thread of its own: nothing at the end of this process waits for what it reads.
            let (over, ended) = tokio::sync::oneshot::channel::<()>();
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                drop(over);
            });
            let _ = ended.await;
            return;
        }
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
