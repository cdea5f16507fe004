//! Building what is deployed and what the suites start. Skipping unchanged work is cargo's job.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Doing, Failure, Result, failed};
use crate::tools::{Tool, Tools, set_up};
use crate::{process, workspace};

/// The package of the composition root; its binary is `opencode`.
const PLATFORM: &str = "opencode";

/// Builds the named release artefacts, or all.
pub fn build(names: &[String]) -> Result<()> {
    let all = ["native", "worker", "lambda"];
    if let Some(unknown) = names.iter().find(|name| !all.contains(&name.as_str())) {
        return Err(Failure::Missing(format!(
            "no artefact is called {unknown:?}: there are {}",
            all.join(", ")
        )));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|given| given == name);
    let mut tools = Vec::new();
    if wanted("worker") {
        tools.extend(WORKER_TOOLS);
    }
    if wanted("lambda") {
        tools.extend(LAMBDA_TOOLS);
    }
    let tools = set_up(&tools)?;
    if wanted("native") {
        println!("built {}", native_release()?.display());
    }
    if wanted("worker") {
        println!("built {}", worker(&tools)?.display());
    }
    if wanted("lambda") {
        println!("built {}", lambda(&tools)?.display());
    }
    Ok(())
}

/// What [`worker`] and [`probe`] need.
pub const WORKER_TOOLS: [Tool; 4] = [Tool::Rust, Tool::Npm, Tool::WorkerBuild, Tool::WasmBindgen];
/// What [`lambda`] needs.
pub const LAMBDA_TOOLS: [Tool; 1] = [Tool::Python];

/// Builds the platform's binary as users run it.
pub fn native_release() -> Result<PathBuf> {
    process::run(process::cargo().args(["build", "--release", "--package", PLATFORM]))?;
    Ok(workspace::target().join("release/opencode"))
}

/// Builds every binary of the workspace for debugging and returns the folder they are in.
///
/// The whole workspace at once: each choice of packages has its own set of features, and with it crates of its own.
pub fn debug_binaries() -> Result<PathBuf> {
    process::run(process::cargo().args(["build", "--workspace", "--bins"]))?;
    Ok(workspace::target().join("debug"))
}

/// Builds the Worker the way it is deployed, by wrangler, and returns the folder with its `index.js`.
pub fn worker(tools: &Tools) -> Result<PathBuf> {
    let mut wrangler = process::program(tools.node());
    wrangler.arg(tools.wrangler()).args(["deploy", "--dry-run", "--outdir"]);
    wrangler.arg(workspace::target().join("wrangler-dry-run"));
    offline(&mut wrangler);
    let worker_build = tools.worker_build();
    let folders = [tools.node_folder(), worker_build.parent().unwrap_or(&worker_build).to_owned()];
    process::run(process::first_on_path(with_helpers(&mut wrangler, tools), &folders)?)?;
    Ok(workspace::root().join("build"))
}

/// Builds the Worker for debugging, with the port that tests play store operations through; returns its folder.
pub fn probe(tools: &Tools) -> Result<PathBuf> {
    let folder = workspace::target().join("worker-probe");
    let mut build = process::program(tools.worker_build());
    build.args(["crates/worker", "--dev", "--out-dir"]).arg(&folder).args(["--features", "probe"]);
    process::run(process::first_on_path(with_helpers(&mut build, tools), &[tools.node_folder()])?)?;
    Ok(folder)
}

/// Names the programs that worker-build would otherwise download.
fn with_helpers<'a>(command: &'a mut Command, tools: &Tools) -> &'a mut Command {
    command.env("WASM_BINDGEN_BIN", tools.wasm_bindgen());
    command.env("WASM_OPT_BIN", tools.wasm_opt());
    command.env("ESBUILD_BIN", tools.esbuild())
}

/// Builds the Lambda binary the way it is deployed, by SAM, and returns it.
pub fn lambda(tools: &Tools) -> Result<PathBuf> {
    let mut build = sam(tools)?;
    process::run(build.args(["build", "--template-file", "template.yaml"]))?;
    built_by_sam(&workspace::root().join(".aws-sam/build"))
}

/// SAM, offline and quiet about who runs it. It finds cargo-lambda and zig's Python on the `PATH`.
pub fn sam(tools: &Tools) -> Result<Command> {
    let mut sam = process::program(tools.python_folder().join("sam"));
    process::first_on_path(&mut sam, &[tools.python_folder()])?;
    offline(&mut sam);
    Ok(sam)
}

/// Tells deploy tools that nobody is there to ask, that there is no account, and to report to nobody.
pub fn offline(command: &mut Command) {
    command.env("CI", "1").env("SAM_CLI_TELEMETRY", "0").env("WRANGLER_SEND_METRICS", "false");
    if env::var_os("AWS_DEFAULT_REGION").is_none() {
        command.env("AWS_DEFAULT_REGION", "us-east-1");
    }
}

/// Both functions are one binary, so any function's `bootstrap` is the one.
fn built_by_sam(folder: &Path) -> Result<PathBuf> {
    let functions = folder.read_dir().doing("read what SAM built")?;
    let mut found: Vec<PathBuf> = functions
        .flatten()
        .map(|entry| entry.path().join("bootstrap"))
        .filter(|file| file.is_file())
        .collect();
    found.sort();
    match found.into_iter().next() {
        Some(binary) => Ok(binary),
        None => failed("SAM built no `bootstrap`"),
    }
}
