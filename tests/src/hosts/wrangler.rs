//! The Worker under `wrangler dev`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::child::{Child, START, free_port};
use crate::client::Request;
use crate::tools;

/// A running `wrangler dev`.
pub struct Wrangler {
    /// Where it listens.
    pub url: String,
    port: u16,
    folder: PathBuf,
    child: Option<Child>,
}

impl Wrangler {
    /// Serves a bundle with the bindings of the deployment's `wrangler.toml` and these variables. `folder` takes
    /// its settings, state and output.
    pub async fn start(bundle: &Path, folder: &Path, vars: &[(&str, String)]) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let settings = settings(bundle, vars)?;
        std::fs::write(folder.join("wrangler.json"), settings.to_string())
            .map_err(|error| error.to_string())?;
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut wrangler = Self { url, port, folder: folder.to_owned(), child: None };
        wrangler.up().await?;
        Ok(wrangler)
    }

    /// Kills it and starts it again on the same state.
    pub async fn restart(&mut self) -> Result<(), String> {
        if let Some(child) = self.child.take() {
            child.kill().await;
        }
        self.up().await
    }

    /// Makes the schedule's event happen.
    pub async fn tick(&self) -> Result<(), String> {
        let mut response = Request::get(format!("{}/cdn-cgi/handler/scheduled", self.url)).send().await?;
        match response.status {
            200 => Ok(()),
            status => Err(format!("the schedule answered {status}: {}", response.text().await?)),
        }
    }

    /// Puts a configuration into KV, as an operator does.
    pub async fn write_settings(&self, text: &str) -> Result<(), String> {
        std::fs::write(self.folder.join("settings.toml"), text).map_err(|error| error.to_string())?;
        let mut command = self.command()?;
        command.args(["kv", "key", "put", "--local", "--binding", "CACHE", "--config", "wrangler.json"]);
        command.args(["--persist-to", "state", "_/config", "--path", "settings.toml"]);
        let output = command.output().await.map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("wrangler kv: {}", String::from_utf8_lossy(&output.stderr)))
    }

    async fn up(&mut self) -> Result<(), String> {
        let mut command = self.command()?;
        command.args(["dev", "--ip", "127.0.0.1", "--port"]);
        command.arg(self.port.to_string()).arg("--inspector-port").arg(free_port().to_string());
        command.args(["--test-scheduled", "--config", "wrangler.json", "--persist-to", "state"]);
        let mut child = Child::spawn(&mut command, &self.folder.join("wrangler.log"))?;
        child.listens(self.port).await?;
        self.child = Some(child);
        self.answers().await
    }

    /// wrangler in this folder, without its metrics, with Node on the path.
    fn command(&self) -> Result<Command, String> {
        let node = tools::path(tools::NODE)?;
        let path = std::env::join_paths(node.parent().map(Path::to_owned).into_iter().chain(
            std::env::var_os("PATH").iter().flat_map(|path| std::env::split_paths(path).collect::<Vec<_>>()),
        ));
        let mut command = Command::new(&node);
        command.arg(tools::path(tools::WRANGLER)?).current_dir(&self.folder);
        command.env("PATH", path.map_err(|error| error.to_string())?).env("CI", "1");
        command.env("WRANGLER_SEND_METRICS", "false").env("XDG_CONFIG_HOME", &self.folder);
        Ok(command)
    }

    /// Its proxy listens before the Worker runs.
    async fn answers(&self) -> Result<(), String> {
        let start = tokio::time::Instant::now();
        loop {
            let response = Request::get(format!("{}/", self.url)).send().await;
            match response {
                Ok(response) if response.status < 500 => return Ok(()),
                _ if start.elapsed() > START => {
                    let said = self.child.as_ref().map(Child::tail).unwrap_or_default();
                    return Err(format!("the Worker does not answer:\n{said}"));
                }
                _ => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            }
        }
    }
}

/// The bundle's entry module.
pub fn entry(bundle: &Path) -> Result<PathBuf, String> {
    let known = ["index.js", "worker/shim.mjs", "shim.mjs"].map(|name| bundle.join(name));
    known
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| format!("no entry module in {}", bundle.display()))
}

/// The deployment's own settings, as JSON.
pub fn deployed() -> Result<Value, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wrangler.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("wrangler.toml: {error}"))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| format!("wrangler.toml: {error}"))?;
    serde_json::to_value(table).map_err(|error| error.to_string())
}

/// The deployed settings without a build, for this bundle, with what a test adds.
fn settings(bundle: &Path, vars: &[(&str, String)]) -> Result<Value, String> {
    let mut settings = deployed()?;
    let members = settings.as_object_mut().ok_or("wrangler.toml is no table")?;
    members.remove("build");
    members.insert("main".to_owned(), json!(entry(bundle)?));
    let set = members.entry("vars").or_insert_with(|| json!({}));
    for (name, value) in vars {
        set[*name] = json!(value);
    }
    Ok(settings)
}
