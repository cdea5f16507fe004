//! The Worker on bare workerd: no proxy stands between a client that leaves and the runtime.
//!
//! KV and the queue are stand-ins, a cache that always misses and a queue that takes everything: what is tested
//! here is neither.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;

use super::setup::Setup;
use super::wrangler::{deployed, entry};
use crate::child::{Child, free_port};
use crate::tools;

/// Answers KV's and the queue's own protocols.
const STAND_IN: &str = r#"
export default {
  async fetch(request) {
    if (request.method === "GET") return new Response("no such key", { status: 404 });
    await request.arrayBuffer();
    return Response.json({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } });
  },
};
"#;

/// A running workerd.
pub struct Workerd {
    /// Where it listens.
    pub url: String,
    port: u16,
    folder: PathBuf,
    child: Option<Child>,
}

impl Workerd {
    /// Serves the release bundle with a Durable Object on disk.
    pub async fn start(setup: &Setup, folder: &Path) -> Result<Self, String> {
        let port = free_port();
        let modules = copy_bundle(folder)?;
        let text = config(port, &modules, setup)?;
        let written = fs::create_dir_all(folder.join("state"))
            .and_then(|()| fs::write(folder.join("stand-in.js"), STAND_IN))
            .and_then(|()| fs::write(folder.join("config.capnp"), text));
        written.map_err(|error| error.to_string())?;
        let url = format!("http://127.0.0.1:{port}");
        let mut workerd = Self { url, port, folder: folder.to_owned(), child: None };
        workerd.up().await?;
        Ok(workerd)
    }

    /// Kills it and starts it again on the same state.
    pub async fn restart(&mut self) -> Result<(), String> {
        if let Some(child) = self.child.take() {
            child.kill().await;
        }
        self.up().await
    }

    async fn up(&mut self) -> Result<(), String> {
        let mut command = Command::new(tools::path(tools::WORKERD)?);
        command.args(["serve", "config.capnp"]).current_dir(&self.folder);
        let mut child = Child::spawn(&mut command, &self.folder.join("workerd.log"))?;
        child.listens(self.port).await?;
        self.child = Some(child);
        Ok(())
    }
}

/// Copies the bundle beside the configuration, which can embed only what lies there; its modules, the entry first.
fn copy_bundle(folder: &Path) -> Result<Vec<String>, String> {
    let bundle = tools::path(tools::WORKER_DIR)?;
    let entry = entry(&bundle)?;
    let root = entry.parent().unwrap_or(&bundle).to_owned();
    let mut modules = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(next) = folders.pop() {
        for item in fs::read_dir(&next).map_err(|error| format!("{}: {error}", next.display()))? {
            let path = item.map_err(|error| error.to_string())?.path();
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if [".js", ".mjs", ".wasm"].iter().any(|end| name.ends_with(end)) {
                let target = folder.join("bundle").join(&name);
                fs::create_dir_all(target.parent().unwrap_or(folder)).map_err(|error| error.to_string())?;
                fs::copy(&path, target).map_err(|error| error.to_string())?;
                modules.push(name);
            }
        }
    }
    let first = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
    modules.sort_by_key(|name| (*name != first, name.clone()));
    Ok(modules)
}

fn config(port: u16, modules: &[String], setup: &Setup) -> Result<String, String> {
    let deployed = deployed()?;
    let date = deployed["compatibility_date"].as_str().unwrap_or_default();
    let flags = strings(&deployed["compatibility_flags"]);
    let modules: Vec<String> = modules.iter().map(|name| module(name)).collect();
    let vars: Vec<String> =
        setup.vars().iter().map(|(name, value)| format!("(name = {name:?}, text = {value:?})")).collect();
    Ok(format!(
        r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "stand-in", worker = .standIn),
    (name = "state", disk = (path = "state", writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")],
);

const main :Workerd.Worker = (
  modules = [{modules}],
  compatibilityDate = {date:?},
  compatibilityFlags = [{flags}],
  bindings = [
    (name = "STORE", durableObjectNamespace = "Store"),
    (name = "OWNER", durableObjectNamespace = "Owner"),
    (name = "CACHE", kvNamespace = "stand-in"),
    (name = "QUEUE", queue = "stand-in"),
    {vars},
  ],
  durableObjectNamespaces = [
    (className = "Store", uniqueKey = "store", enableSql = true),
    (className = "Owner", uniqueKey = "owner", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "state"),
);

const standIn :Workerd.Worker = (
  modules = [(name = "stand-in.js", esModule = embed "stand-in.js")],
  compatibilityDate = {date:?},
);
"#,
        modules = modules.join(", "),
        vars = vars.join(",\n    "),
    ))
}

fn module(name: &str) -> String {
    let kind = if name.ends_with(".wasm") { "wasm" } else { "esModule" };
    format!("(name = {name:?}, {kind} = embed {:?})", format!("bundle/{name}"))
}

fn strings(list: &Value) -> String {
    let list = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    list.map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ")
}
