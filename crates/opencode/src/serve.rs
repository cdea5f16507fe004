//! `opencode serve`: the platform on this machine.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use opencode_core::config::Config;
use opencode_core::identity::key::SECRET_NAME;
use opencode_core::isolate::Isolate;
use opencode_native::Options;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::Serve;
use crate::data::Data;
use crate::{log, say, setup};

/// Serves until Ctrl-C or SIGTERM; a second one ends the process at once. The error is one line.
pub fn run(options: Serve) -> Result<(), String> {
    log::start();
    let mut config = setup::configuration(options.config.as_deref())?;
    let data = Data::open(&options.data)?;
    let secret = setup::secret(&data)?;
    let development = setup::development_key(&mut config, &data, &secret)?;
    // A core dump would hold every secret.
    if let Err(error) = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0) {
        tracing::warn!(%error, "core dumps cannot be switched off");
    }
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::debug!(%error, "the number of open files stays as it is");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no threads to run on: {error}"))?;
    runtime.block_on(async {
        let listen = TcpListener::bind(options.listen).await.map_err(|error| {
            format!("{} cannot be listened on: {error}; choose another with --listen", options.listen)
        })?;
        let address = listen.local_addr().map_err(|error| error.to_string())?;
        let shutdown = Shutdown::new()?;
        let text =
            welcome(address, &config, development.then(|| data.path().join(setup::DEV_KEY)).as_deref());
        let isolate = Isolate::new(config, Some(&secret), None)?;
        let secrets = HashMap::from([(SECRET_NAME.to_owned(), secret)]);
        let options = Options { listen, data: data.path().to_owned(), isolate, tick: options.tick, secrets };
        let ready = async {
            say(&text);
            shutdown.wait().await;
        };
        opencode_native::run(options, ready).await
    })
}

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

/// What a person needs to send the first request.
fn welcome(address: SocketAddr, config: &Config, development_key: Option<&Path>) -> String {
    let url = format!("http://{}", reachable(address));
    let names: Vec<_> = config.targets.iter().map(|row| row.name.as_str()).collect();
    let key = match development_key {
        Some(path) => format!("$(cat {})", quoted(path)),
        None => "$OPENCODE_KEY".to_owned(),
    };
    let model = config.targets.first().map_or_else(String::new, |row| format!("{}/{}", row.name, row.model));
    let mut text = format!("OpenCode Platform listens on {url}\n  targets: {}\n", names.join(", "));
    let _ = match development_key {
        Some(path) => writeln!(text, "  key:     for development, in {}", path.display()),
        None => writeln!(text, "  keys:    {} in the configuration", config.keys.len()),
    };
    let _ = write!(
        text,
        "\nTry it:\n  curl -N {url}/v1/chat/completions -H \"Authorization: Bearer {key}\" \
         -H 'Content-Type: application/json' \
         -d '{{\"model\":\"{model}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Say hello.\"}}]}}'\n"
    );
    text
}

/// Where a client on this machine finds a listener on all addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// For a shell, inside double quotes too.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    if path.bytes().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
