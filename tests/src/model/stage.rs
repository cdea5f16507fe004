//! What the cases stand on: the binary as users build it, the model's file, and folders of their own.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use opencode_model::tiers::{TIERS, Tier, fetch};
use tokio::process::Command;
use tokio::time::timeout;

use crate::tools;

/// How long a start that is refused may take. A refusal is quick: this is for a hung one.
const REFUSAL: Duration = Duration::from_secs(20);
/// The platform's binary as `cargo run --release` builds it.
const RELEASE_BIN: &str = "OPENCODE_RELEASE_BIN";
/// What would change what is started here.
const FOREIGN: [&str; 7] = [
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "OLLAMA_HOST",
    "OPENCODE_SECRET",
    "OPENCODE_CONFIG",
    "RUST_LOG",
];

/// The tier that is served without any option.
pub const SMALL: &Tier = &TIERS[0];

/// Shared by all cases.
pub struct Stage {
    binary: PathBuf,
    /// The model's file; checked by size only, since the product checks all of it.
    pub gguf: PathBuf,
    /// A `$XDG_CACHE_HOME` that holds the model.
    pub cache: PathBuf,
    /// Where cases make their folders.
    pub folder: PathBuf,
    /// A Python that has pip.
    pub pip: Option<PathBuf>,
}

impl Stage {
    /// Finds all of it. `Ok(None)` after saying why: there is neither a model nor a way to fetch it.
    pub fn set(folder: &Path) -> Result<Option<Self>, String> {
        let binary = tools::path(RELEASE_BIN)?;
        let pip = python_with_pip();
        let kept = binary.ancestors().nth(2).unwrap_or(folder).join("tmp/models");
        let there = users_cache().into_iter().chain([kept.clone()]).map(|cache| cache.join(SMALL.file));
        let whole = |file: &PathBuf| std::fs::metadata(file).is_ok_and(|data| data.len() == SMALL.size);
        let gguf = match there.into_iter().find(whole) {
            Some(gguf) => gguf,
            None => match fetch(SMALL, &kept, None, |_, _| {}) {
                Ok(gguf) => gguf,
                Err(error) => {
                    crate::suite::say(&format!("model: skipped, there is no model to serve: {error}"));
                    return Ok(None);
                }
            },
        };
        let cache = folder.join("cache");
        let models = models(&cache)?;
        let linked = std::os::unix::fs::symlink(&gguf, models.join(SMALL.file));
        linked.map_err(|error| format!("{}: {error}", models.display()))?;
        Ok(Some(Self { binary, gguf, cache, folder: folder.to_owned(), pip }))
    }

    /// An empty folder.
    pub fn empty(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        Ok(folder)
    }

    /// The product, to be started in a folder, with the model in its cache.
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.env("XDG_CACHE_HOME", &self.cache).current_dir(folder);
        command
    }

    /// Runs a start that must be refused: status 2, nothing on stdout, and one line on stderr, which this gives.
    pub async fn refused(&self, command: &mut Command) -> Result<String, String> {
        let output = ended(command).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<_> = said.lines().filter(|line| !line.starts_with("fetching the model")).collect();
        match (output.status.code(), output.stdout.as_slice(), lines.as_slice()) {
            (Some(2), [], [line]) if line.starts_with("opencode: ") => Ok((*line).to_owned()),
            (code, _, _) => Err(format!("status {code:?} and on stderr:\n{said}")),
        }
    }
}

/// Runs to the end, which must come.
pub async fn ended(command: &mut Command) -> Result<Output, String> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(REFUSAL, output).await;
    let output = output.map_err(|_| format!("it did not end within {} s", REFUSAL.as_secs()))?;
    output.map_err(|error| error.to_string())
}

/// The folder of models in a `$XDG_CACHE_HOME`, made if it is missing.
pub fn models(cache: &Path) -> Result<PathBuf, String> {
    let folder = cache.join("opencode/models");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    Ok(folder)
}

fn users_cache() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(cache.join("opencode/models"))
}

fn python_with_pip() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let python =
        std::env::split_paths(&path).map(|folder| folder.join("python3")).find(|file| file.is_file())?;
    let mut pip = std::process::Command::new(&python);
    let pip = pip.args(["-m", "pip", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    pip.is_ok_and(|status| status.success()).then_some(python)
}
