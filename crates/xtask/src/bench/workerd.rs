//! Bare workerd: `wrangler dev` adds a proxy whose cost is not the Worker's.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::contestant::empty;
use super::http::free_address;
use super::running::Running;
use crate::failure::{Doing, Result, failed};
use crate::{process, workspace};

/// What is served.
pub struct Service<'a> {
    /// The folder with the bundle.
    pub bundle: &'a Path,
    /// The module that is the Worker; the others of the bundle are what it imports.
    pub entry: &'a str,
    /// Variables.
    pub vars: Vec<(&'a str, String)>,
    /// Whether it has our Durable Object, KV and queue.
    pub stores: bool,
    /// The path that says that it runs.
    pub up: &'a str,
}

/// A running workerd.
pub struct Workerd {
    /// Where it listens.
    pub address: String,
    /// From its start to its first 200.
    pub started: Duration,
    /// The program.
    pub running: Running,
}

/// KV that always misses and a queue that takes everything, in their own protocols: they are services of the
/// platform, and only the calls to them are the Worker's cost.
const STAND_IN: &str = r#"export default {
  async fetch(request) {
    if (request.method === "GET") return new Response("no such key", { status: 404 });
    await request.arrayBuffer();
    return Response.json({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } });
  },
};
"#;

/// Serves a bundle, its Durable Objects in SQLite files in a folder.
pub fn start(workerd: &Path, folder: &Path, service: &Service<'_>) -> Result<Workerd> {
    empty(folder)?;
    let address = free_address()?;
    let modules = modules(folder, service)?;
    let text = config(&address, &modules, service)?;
    fs::create_dir_all(folder.join("state"))
        .and_then(|()| fs::write(folder.join("stand-in.js"), STAND_IN))
        .and_then(|()| fs::write(folder.join("config.capnp"), text))
        .doing("write workerd's configuration")?;
    let mut serve = process::program(workerd);
    serve.args(["serve", "config.capnp"]).current_dir(folder);
    let mut running = Running::start(&mut serve, &folder.join("log"))?;
    let started = running.answers(&address, service.up)?;
    Ok(Workerd { address, started, running })
}

/// Copies the bundle beside the configuration, which can embed only what lies there; the names, the entry first.
fn modules(folder: &Path, service: &Service<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut folders = vec![service.bundle.to_owned()];
    while let Some(next) = folders.pop() {
        for item in fs::read_dir(&next).doing("read the Worker's bundle")?.flatten() {
            let path = item.path();
            let name = path.strip_prefix(service.bundle).unwrap_or(&path).to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if [".js", ".mjs", ".wasm"].iter().any(|end| name.ends_with(end)) {
                let target: PathBuf = folder.join("bundle").join(&name);
                fs::create_dir_all(target.parent().unwrap_or(folder))
                    .and_then(|()| fs::copy(&path, &target))
                    .doing("copy the Worker's bundle")?;
                names.push(name);
            }
        }
    }
    names.sort_by_key(|name| (name != service.entry, name.clone()));
    match names.first() {
        Some(first) if first == service.entry => Ok(names),
        _ => failed(format!("there is no {} in the Worker's bundle", service.entry)),
    }
}

fn config(address: &str, modules: &[String], service: &Service<'_>) -> Result<String> {
    let (date, flags) = compatibility()?;
    let modules: Vec<String> = modules.iter().map(|name| module(name)).collect();
    let mut bindings: Vec<String> =
        service.vars.iter().map(|(name, value)| format!("(name = {name:?}, text = {value:?})")).collect();
    let mut objects = "";
    if service.stores {
        bindings.extend(
            [
                "(name = \"STORE\", durableObjectNamespace = \"Store\")",
                "(name = \"OWNER\", durableObjectNamespace = \"Owner\")",
                "(name = \"CACHE\", kvNamespace = \"stand-in\")",
                "(name = \"QUEUE\", queue = \"stand-in\")",
            ]
            .map(str::to_owned),
        );
        objects = "durableObjectNamespaces = [
    (className = \"Store\", uniqueKey = \"store\", enableSql = true),
    (className = \"Owner\", uniqueKey = \"owner\", enableSql = true),
  ],
  durableObjectStorage = (localDisk = \"state\"),";
    }
    Ok(format!(
        r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "stand-in", worker = .standIn),
    (name = "state", disk = (path = "state", writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "{address}", http = (), service = "main")],
);

const main :Workerd.Worker = (
  modules = [{modules}],
  compatibilityDate = {date:?},
  compatibilityFlags = [{flags}],
  bindings = [{bindings}],
  {objects}
);

const standIn :Workerd.Worker = (
  modules = [(name = "stand-in.js", esModule = embed "stand-in.js")],
  compatibilityDate = {date:?},
);
"#,
        modules = modules.join(", "),
        bindings = bindings.join(", "),
    ))
}

/// The date and flags that the Worker is deployed with.
fn compatibility() -> Result<(String, String)> {
    let text = fs::read_to_string(workspace::root().join("wrangler.toml")).doing("read wrangler.toml")?;
    let deployed: toml::Table = text.parse().doing("read wrangler.toml")?;
    let date = deployed.get("compatibility_date").and_then(toml::Value::as_str).unwrap_or_default();
    let flags = deployed.get("compatibility_flags").and_then(toml::Value::as_array);
    let flags: Vec<String> =
        flags.into_iter().flatten().map(|flag| format!("{:?}", flag.as_str().unwrap_or_default())).collect();
    Ok((date.to_owned(), flags.join(", ")))
}

fn module(name: &str) -> String {
    let kind = if name.ends_with(".wasm") { "wasm" } else { "esModule" };
    format!("(name = {name:?}, {kind} = embed {:?})", format!("bundle/{name}"))
}
