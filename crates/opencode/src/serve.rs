//! `opencode serve`: the platform on this machine.

use opencode_core::isolate::Isolate;
use opencode_native::Options;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::Serve;
use crate::data::Data;
use crate::models::{self, Local};
use crate::{log, sandbox, say, setup, welcome};

/// Serves until Ctrl-C or SIGTERM; a second one ends the process at once. The error is one line.
pub fn run(options: Serve) -> Result<(), String> {
    log::start();
    let found = setup::configuration(options.config.as_deref())?;
    let data = Data::open(&options.data)?;
    let mut base = setup::base(&found, &data)?;
    let others = !found.config.targets.is_empty() || !base.found.is_empty();
    // Whatever is wrong is said before anything is fetched.
    let listen = std::net::TcpListener::bind(options.listen).map_err(|error| {
        format!("{} cannot be listened on: {error}; choose another with --listen", options.listen)
    })?;
    let models = models::fetch(&options.models, !found.config.targets.is_empty(), others)?;
    limits();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no threads to run on: {error}"))?;
    runtime.block_on(async {
        let address = listen.local_addr().map_err(|error| error.to_string())?;
        let listen = listen
            .set_nonblocking(true)
            .and_then(|()| TcpListener::from_std(listen))
            .map_err(|error| format!("{address} cannot be listened on: {error}"))?;
        let mut shutdown = Shutdown::new()?;
        let code = async {
            match () {
                () if options.no_sandbox => sandbox::Local::absent("it was started with --no-sandbox"),
                // Another one is configured.
                () if !found.config.sandbox.function.is_empty() => sandbox::Local::absent(""),
                () => sandbox::Local::start().await,
            }
        };
        let (local, code) = tokio::select! {
            (local, code) = async { tokio::join!(Local::start(models), code) } => (local?, code),
            () = shutdown.next() => return Ok(()),
        };
        base.local = local.rows();
        base.sandbox = code.configured.clone();
        let development = base.development.is_some().then(|| data.path().join(setup::DEV_KEY));
        let isolate = Isolate::new(base)?;
        let text = welcome::text(address, isolate.snapshot().config(), development.as_deref());
        let options = Options {
            listen,
            data: data.path().to_owned(),
            isolate,
            settings: options.config,
            tick: options.tick,
            secrets: code.secrets.clone(),
        };
        let ready = async {
            say(&text);
            shutdown.wait().await;
        };
        let ended = opencode_native::run(options, ready).await;
        tokio::join!(local.stop(), code.stop());
        ended
    })
}

/// Many connections need many files, and a core dump would hold every secret.
fn limits() {
    if let Err(error) = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0) {
        tracing::warn!(%error, "core dumps cannot be switched off");
    }
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) if files < FILES => {
            tracing::warn!(files, "only so many files can be open: raise the limit with `ulimit -n`");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}

/// What the server's connections, each with one to an upstream, need.
const FILES: u64 = 10_000;

/// Ctrl-C and SIGTERM.
struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
}

impl Shutdown {
    fn new() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("signals cannot be listened for: {error}"));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn wait(mut self) {
        self.next().await;
        tracing::info!("shutting down");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(130);
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
