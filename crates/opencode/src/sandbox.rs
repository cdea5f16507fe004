//! `opencode sandbox`: code, run behind the local stand-in for AWS Lambda; and how `opencode serve` starts it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::BufRead as _;
use std::net::SocketAddr;
use std::time::Duration;

use opencode_core::config::sandbox::Sandbox as Configured;
use opencode_sandbox::serve::local::{self, Ready, Secret};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::args::Sandbox;
use crate::child::{self, Running, told_to_end};
use crate::{log, say};

/// How long it may take to start.
const LOAD: Duration = Duration::from_secs(60);
/// What the platform calls the secrets with which it signs.
const KEY_ID: &str = "SANDBOX_ACCESS_KEY_ID";
/// See [`KEY_ID`].
const SECRET: &str = "SANDBOX_SECRET_ACCESS_KEY";

/// Serves until it is told to end. Prints how it is reached once code can run. The error is one line.
pub fn run(options: Sandbox) -> Result<(), String> {
    log::start();
    let child = options.child;
    match serve(options) {
        // Its parent says it, with what it was started for.
        Err(why) if child => {
            say(&why);
            Ok(())
        }
        served => served,
    }
}

fn serve(options: Sandbox) -> Result<(), String> {
    let mut local = local::Options::new(["sandbox", "--environment"].map(Into::into).to_vec());
    // Its first line is what callers sign with; it is not for the environment, which others may read.
    local.secret = if options.child { Some(read_secret()?) } else { None };
    local.listen = options.listen;
    local.wrapper = options.wrapper;
    local.recycle = options.recycle;
    local.folder = options.folder;
    local.environments = options.environments.unwrap_or(local.environments);
    local.waiters = options.waiters.unwrap_or(local.waiters);
    local.idle = options.idle.unwrap_or(local.idle);
    local.longest = options.longest.unwrap_or(local.longest);
    local.variables = std::env::vars_os().filter(|(name, _)| is_environments(name)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no threads to run on: {error}"))?;
    runtime.block_on(async {
        let end = told_to_end(options.child)?;
        let ready = |ready: &Ready| say(&serde_json::to_string(ready).unwrap_or_default());
        local::serve(local, ready, end).await
    })
}

/// What an environment is told of ours.
fn is_environments(name: &OsString) -> bool {
    name == "PATH" || name.to_str().is_some_and(|name| name.starts_with("OPENCODE_SANDBOX_"))
}

fn read_secret() -> Result<Secret, String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    let (id, secret) = line.trim().split_once(' ').ok_or("there is no secret to sign with")?;
    Ok(Secret { id: id.to_owned(), secret: secret.to_owned() })
}

/// The sandbox of this machine, for the platform.
pub struct Local {
    /// Where it is, or why there is none.
    pub configured: Configured,
    /// What is signed with.
    pub secrets: HashMap<String, String>,
    keeper: Option<(JoinHandle<()>, watch::Sender<bool>)>,
}

impl Local {
    /// None, for this reason.
    pub fn absent(why: &str) -> Self {
        let configured = Configured { absent: Some(why.to_owned()), ..Configured::default() };
        Self { configured, secrets: HashMap::new(), keeper: None }
    }

    /// Starts a child and waits until code can run. Where none can, the platform goes on without.
    pub async fn start() -> Self {
        match Self::try_start().await {
            Ok(local) => local,
            Err(why) => {
                tracing::warn!("no code runs here: {why}");
                Self::absent(&why)
            }
        }
    }

    async fn try_start() -> Result<Self, String> {
        let secret = Secret::make()?;
        let (running, ready) = spawn(&secret, None).await?;
        let secrets = [(KEY_ID, &secret.id), (SECRET, &secret.secret)];
        let secrets = secrets.map(|(name, value)| (name.to_owned(), value.clone())).into();
        let configured = Configured {
            function: ready.function,
            region: ready.region,
            access_key_id: KEY_ID.to_owned(),
            secret_access_key: SECRET.to_owned(),
            session_token: String::new(),
            endpoint: ready.endpoint.clone(),
            ..Configured::default()
        };
        let (stop, stopped) = watch::channel(false);
        let address = ready.endpoint.trim_start_matches("http://").parse::<SocketAddr>();
        let address = address.map_err(|error| error.to_string())?;
        let again = move || {
            let secret = secret.clone();
            async move { Ok(spawn(&secret, Some(address)).await?.0) }
        };
        let keeper = tokio::spawn(async move { child::keep("the sandbox", running, again, stopped).await });
        Ok(Self { configured, secrets, keeper: Some((keeper, stop)) })
    }

    /// Ends the child and waits for it.
    pub async fn stop(self) {
        if let Some((keeper, stop)) = self.keeper {
            stop.send_replace(true);
            let _ = keeper.await;
        }
    }
}

async fn spawn(secret: &Secret, address: Option<SocketAddr>) -> Result<(Running, Ready), String> {
    let mut arguments: Vec<OsString> = ["sandbox", "--child"].map(Into::into).to_vec();
    if let Some(address) = address {
        arguments.extend(["--listen".into(), address.to_string().into()]);
    }
    let input = format!("{} {}\n", secret.id, secret.secret);
    let (running, line) = child::start(&arguments, &input, LOAD).await?;
    let ready = serde_json::from_str(&line).map_err(|_| line)?;
    Ok((running, ready))
}
