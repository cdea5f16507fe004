//! The native binary, for a tenant without limits and for one whose every answer is held against a budget and a rate.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::{Ask, Contestant, Stage};
use crate::bench::http::free_address;
use crate::bench::question::{Kind, MODEL};
use crate::bench::running::Running;
use crate::failure::{Doing, Failure, Result, failed};
use crate::process;

/// At least 32 bytes, as the binary wants it; worth nothing.
pub const SECRET: &str = "only-for-measuring-only-for-measuring";

/// High enough that no answer is ever refused.
const LIMITS: &str = "requests_per_minute = 1000000000\nusd_per_day = 1000000.0\n";

/// For a tenant without limits.
pub fn free(stage: &Stage) -> Result<Contestant> {
    start(stage, "ours", "")
}

/// For a tenant with limits.
pub fn budgeted(stage: &Stage) -> Result<Contestant> {
    start(stage, "ours-budget", LIMITS)
}

fn start(stage: &Stage, name: &str, limits: &str) -> Result<Contestant> {
    let native = stage.native.as_ref().map_err(|failure| Failure::Failed(failure.why().to_owned()))?;
    let targets = Kind::ALL.map(|kind| Target::openai(kind.name(), stage.base_url(kind)));
    let served = serve(native, &stage.empty(name)?, &targets, limits)?;
    let asks = Kind::ALL.map(|kind| {
        let model = format!("{}/{MODEL}", kind.name());
        served.open(Ask::new(&served.address, "/v1/chat/completions".to_owned(), &model, kind))
    });
    let version = process::output(process::program(native).arg("--version")).unwrap_or_default();
    let version = version.split_whitespace().last().unwrap_or_default().to_owned();
    Ok(Contestant { asks, process: Some((served.running, served.started)), version })
}

/// Where the gateway may ask.
pub struct Target {
    /// Before the slash of a model's name.
    pub name: String,
    /// What is spoken there, as the configuration says it.
    pub dialect: &'static str,
    /// With the version.
    pub base_url: String,
}

impl Target {
    /// In OpenAI's dialect.
    pub fn openai(name: &str, base_url: String) -> Self {
        Self { name: name.to_owned(), dialect: "openai", base_url }
    }
}

/// A gateway that runs.
pub struct Served {
    /// Where it listens.
    pub address: String,
    /// What lets its one tenant in.
    key: String,
    /// The program.
    pub running: Running,
    /// From its start to its first 200.
    pub started: Duration,
}

impl Served {
    /// The same question with the key.
    pub fn open(&self, ask: Ask) -> Ask {
        ask.header("authorization", format!("Bearer {}", self.key))
    }
}

/// Starts the binary; all that it writes lies in the folder.
pub fn serve(native: &Path, folder: &Path, targets: &[Target], limits: &str) -> Result<Served> {
    let address = free_address()?;
    let (key, row) = mint(native)?;
    std::fs::write(folder.join("opencode.toml"), config(targets, limits, &row))
        .doing("write a configuration")?;
    let mut serve = process::program(native);
    serve.args(["serve", "--listen", &address, "--data"]).arg(folder.join("data"));
    serve.arg("--config").arg(folder.join("opencode.toml")).env("OPENCODE_SECRET", SECRET);
    let mut running = Running::start(&mut serve, &folder.join("log"))?;
    let started = running.answers(&address, "/health")?;
    Ok(Served { address, key, running, started })
}

/// A configuration with these targets and one tenant, who has this key.
pub fn config(targets: &[Target], limits: &str, key: &str) -> String {
    let mut text = String::new();
    for Target { name, dialect, base_url } in targets {
        let _ = write!(
            text,
            "[[targets]]\nname = \"{name}\"\nbase_url = \"{base_url}\"\ndialect = \"{dialect}\"\n\
             model = \"{MODEL}\"\nusd_per_mtok_in = 1.0\nusd_per_mtok_out = 2.0\n\n"
        );
    }
    let _ = write!(text, "[[tenants]]\nname = \"bench\"\n{limits}\n{key}\n");
    text
}

/// A key and the row that lets it in.
pub fn mint(native: &Path) -> Result<(String, String)> {
    let mut mint = process::program(native);
    mint.args(["admin", "mint-key", "--tenant", "bench", "--id", "bench"]).env("OPENCODE_SECRET", SECRET);
    let printed = process::output(&mut mint).unwrap_or_default();
    match printed.split_once("\n\n") {
        Some((key, row)) => Ok((key.trim().to_owned(), row.to_owned())),
        None => failed("`opencode admin mint-key` printed no key and row"),
    }
}
