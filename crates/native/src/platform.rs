//! Starts the three loops of the local host (requests, messages, ticks) and ends them together.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use opencode_core::isolate::Isolate;
use opencode_net::Client;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::local::{Process, Shared};
use crate::store::Store;
use crate::{cron, server, worker};

/// How long a shutdown waits for answers and messages that are being worked on.
const GRACE: Duration = Duration::from_secs(10);

/// What the host is started with.
pub struct Options {
    /// Where requests come in: HTTP/1.1 and HTTP/2 without TLS.
    pub listen: TcpListener,
    /// An existing, writable folder; everything is kept in its `opencode.db`.
    pub data: PathBuf,
    /// Configuration and breakers.
    pub isolate: Arc<Isolate>,
    /// The file that the configuration came from; read again while the host runs.
    pub settings: Option<PathBuf>,
    /// How often `opencode_core::work::tick` runs; at least a millisecond. The first tick comes at once.
    pub tick: Duration,
    /// Secrets that go before environment variables of the same name.
    pub secrets: HashMap<String, String>,
}

/// Serves until `shutdown` resolves; then takes no more work and gives what runs up to 10 s to finish. Fails only
/// at the start.
///
/// Requests are answered on one thread per core; messages and ticks on the caller's runtime.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), String> {
    let Options { listen, data, isolate, settings, tick, secrets } = options;
    let path = data.join("opencode.db");
    let store = Store::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let process = Arc::new(Process { store, secrets, settings, bell: Notify::new() });
    let shared = Arc::new(Shared { client: Client::new()?, process: Arc::clone(&process) });
    let (stop, stopped) = watch::channel(false);

    let threads = server::threads(&process, &isolate)?;
    let requests = tokio::spawn(server::run(listen, threads, stopped.clone()));
    let messages = tokio::spawn(worker::run(Arc::clone(&shared), Arc::clone(&isolate), stopped.clone()));
    let ticks = tokio::spawn(cron::run(shared, isolate, tick, stopped));

    shutdown.await;
    stop.send_replace(true);
    let ended = async { tokio::join!(requests, messages, ticks) };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::warn!("the shutdown cut off what was still running");
    }
    Ok(())
}
