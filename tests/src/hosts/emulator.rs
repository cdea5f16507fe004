//! The Lambda binary behind cargo-lambda's emulator, for its URL surface. Queue and schedule are ours.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;

use super::lambda::{Back, function};
use super::setup::Setup;
use crate::child::{Child, free_port};
use crate::runtime_api::{Function, work};
use crate::tools;

/// Processes that ask the emulator for events; each answers one request at a time.
const PROCESSES: usize = 20;

/// A running emulator with its processes.
pub struct Emulator {
    /// Where it answers.
    pub url: String,
    port: u16,
    folder: PathBuf,
    function: Function,
    processes: Vec<Child>,
    back: Back,
    _watch: Child,
}

impl Emulator {
    /// Starts everything on empty stores.
    pub async fn start(setup: &Setup, folder: &Path) -> Result<Self, String> {
        let back = Back::start(setup, folder).await?;
        let function = function("http", setup, &back.stores)?;
        let port = free_port();
        let watch = watch(folder, port).await?;
        let url = format!("http://127.0.0.1:{port}/lambda-url/_");
        let folder = folder.to_owned();
        let mut emulator = Self { url, port, folder, function, processes: Vec::new(), back, _watch: watch };
        emulator.up()?;
        Ok(emulator)
    }

    /// Kills every process in the middle of what it does and starts fresh ones.
    pub async fn restart(&mut self) -> Result<(), String> {
        self.back.work.kill();
        for process in self.processes.drain(..) {
            process.kill().await;
        }
        self.up()
    }

    /// Writes a configuration into the table.
    pub async fn write_settings(&self, text: &str) -> Result<(), String> {
        self.back.write_settings(text).await
    }

    /// Hands the work function one batch, past the queue.
    pub async fn batch(&self, messages: &[Value]) -> Result<Value, String> {
        work::batch(&self.back.work, messages).await
    }

    /// How many messages lie in the dead-letter queue.
    pub async fn dead(&self) -> Result<u64, String> {
        self.back.stores.dead.count().await
    }

    /// One more tick of the schedule, besides the one each second.
    pub async fn tick(&self) -> Result<(), String> {
        work::tick(&self.back.work).await
    }

    fn up(&mut self) -> Result<(), String> {
        for _ in 0..PROCESSES {
            let mut command = (self.function)()?;
            command.env("AWS_LAMBDA_RUNTIME_API", format!("http://127.0.0.1:{}/.rt", self.port));
            command.env("AWS_LAMBDA_FUNCTION_NAME", "_");
            self.processes.push(Child::spawn(&mut command, &self.folder.join("http.log"))?);
        }
        Ok(())
    }
}

async fn watch(folder: &Path, port: u16) -> Result<Child, String> {
    // It refuses to start where there is no package, though it builds none.
    let package = folder.join("emulator");
    std::fs::create_dir_all(package.join("src")).map_err(|error| error.to_string())?;
    let manifest = "[package]\nname = \"emulated\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";
    std::fs::write(package.join("Cargo.toml"), manifest).map_err(|error| error.to_string())?;
    std::fs::write(package.join("src/main.rs"), "fn main() {}\n").map_err(|error| error.to_string())?;
    let mut command = Command::new(tools::path(tools::CARGO_LAMBDA)?);
    command.args([
        "lambda",
        "watch",
        "--only-lambda-apis",
        "--ignore-changes",
        "--disable-cors",
        "-A",
        "127.0.0.1",
        "-P",
    ]);
    command.arg(port.to_string()).current_dir(&package);
    let mut watch = Child::spawn(&mut command, &folder.join("emulator.log"))?;
    watch.listens(port).await?;
    Ok(watch)
}
