//! Who is measured, and how each is asked the same question.

mod litellm;
pub mod ours;
mod portkey;
mod tensorzero;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::question::{self, Kind, MODEL};
use super::running::Running;
use super::{Options, nginx, rivals};
use crate::failure::Result;

/// One request, ready to be sent.
#[derive(Clone)]
pub struct Ask {
    /// Host and port.
    pub address: String,
    /// The path that is posted to.
    pub path: String,
    /// Headers beside `content-type`.
    pub headers: Vec<(String, String)>,
    /// The question.
    pub body: String,
}

impl Ask {
    /// Of an address without any header; `model` is what this contestant calls it.
    pub fn new(address: &str, path: String, model: &str, kind: Kind) -> Self {
        Self { address: address.to_owned(), path, headers: Vec::new(), body: question::body(model, kind) }
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// As HTTP/1.1, on a connection that stays open.
    pub fn request(&self) -> String {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{}",
            self.path,
            self.address,
            self.body.len(),
            self.body
        )
    }

    /// For wrk.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.path)
    }
}

/// What contestants are started with.
pub struct Stage {
    /// For whatever they write.
    pub folder: PathBuf,
    /// The upstream that answers at once.
    pub upstream: String,
    /// The upstream that answers bit by bit.
    pub paced: String,
    /// Our release binary.
    pub native: Result<PathBuf>,
}

impl Stage {
    /// An OpenAI base URL of the upstream for a kind.
    fn base_url(&self, kind: Kind) -> String {
        format!("http://{}/{}/v1", self.upstream_of(kind), kind.name())
    }

    fn upstream_of(&self, kind: Kind) -> &str {
        if kind == Kind::Paced { &self.paced } else { &self.upstream }
    }

    /// A folder of its own for what one of them writes, empty.
    fn empty(&self, name: &str) -> Result<PathBuf> {
        empty(&self.folder.join(name))
    }
}

/// Makes a folder, or empties it.
pub fn empty(folder: &Path) -> Result<PathBuf> {
    use crate::failure::Doing;
    if folder.exists() {
        std::fs::remove_dir_all(folder).doing("clear what the last measurement left")?;
    }
    std::fs::create_dir_all(folder).doing("make a folder for a measurement")?;
    Ok(folder.to_owned())
}

/// A contestant that answers.
pub struct Contestant {
    /// The questions, in the order of [`Kind::ALL`].
    pub asks: [Ask; 3],
    /// What runs, and how long after its start its first answer came; the upstream itself has neither here.
    pub process: Option<(Running, Duration)>,
    /// The version that runs.
    pub version: String,
}

impl Contestant {
    /// How it is asked a kind of question.
    pub fn ask(&self, kind: Kind) -> &Ask {
        &self.asks[kind as usize]
    }
}

/// A row of the roster.
pub struct Entry {
    /// In `--only`.
    pub key: &'static str,
    /// In the report.
    pub name: &'static str,
    /// Starts it.
    pub start: fn(&Stage) -> Result<Contestant>,
}

/// The name of the row that everything is compared with.
pub const DIRECT: &str = "direct";
/// The name of nginx's row.
pub const NGINX: &str = "nginx";
/// The name of our row for a tenant without limits.
pub const OURS: &str = "ours";
/// The name of our row for a tenant with a budget and a rate.
pub const OURS_BUDGET: &str = "ours, budget";
/// The name of TensorZero's row.
pub const TENSORZERO: &str = "TensorZero";

/// Everyone.
const ROSTER: [Entry; 7] = [
    Entry { key: "direct", name: DIRECT, start: direct },
    Entry { key: "nginx", name: NGINX, start: nginx_gateway },
    Entry { key: "ours", name: OURS, start: ours::free },
    Entry { key: "ours", name: OURS_BUDGET, start: ours::budgeted },
    Entry { key: "tensorzero", name: TENSORZERO, start: tensorzero::start },
    Entry { key: "portkey", name: "Portkey", start: portkey::start },
    Entry { key: "litellm", name: "LiteLLM", start: litellm::start },
];

/// Who takes part. The direct way always does, when anyone else does: the others are compared with it.
pub fn chosen(options: &Options) -> Vec<Entry> {
    let mut chosen: Vec<Entry> = ROSTER.into_iter().filter(|entry| options.wants(entry.key)).collect();
    if !chosen.is_empty() && !options.wants("direct") {
        chosen.insert(0, Entry { key: "direct", name: DIRECT, start: direct });
    }
    chosen
}

/// What `--only` may name.
pub fn keys() -> Vec<&'static str> {
    let mut keys: Vec<_> = ROSTER.iter().map(|entry| entry.key).collect();
    keys.dedup();
    keys
}

/// Installs the chosen rivals before anything is measured.
pub fn install(chosen: &[Entry]) {
    for rival in rivals::ALL {
        if chosen.iter().any(|entry| entry.key == rival.key())
            && let Err(failure) = rival.folder()
        {
            println!("{}: {}", rival.key(), failure.why());
        }
    }
}

fn direct(stage: &Stage) -> Result<Contestant> {
    let asks = Kind::ALL.map(|kind| Ask::new(stage.upstream_of(kind), path(kind), MODEL, kind));
    Ok(Contestant { asks, process: None, version: nginx::version()? })
}

fn nginx_gateway(stage: &Stage) -> Result<Contestant> {
    let gateway = nginx::gateway(&stage.empty("nginx")?, &stage.upstream, &stage.paced)?;
    let asks = Kind::ALL.map(|kind| Ask::new(&gateway.address, path(kind), MODEL, kind));
    Ok(Contestant { asks, process: Some((gateway.running, gateway.started)), version: nginx::version()? })
}

/// Where the upstream answers.
fn path(kind: Kind) -> String {
    format!("/{}/v1/chat/completions", kind.name())
}
