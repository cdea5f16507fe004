//! What a sandbox is asked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{VERSION, bounds, files};
use crate::error::{Error, Kind};

/// A language is a row; how it is started is the sandbox's own knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    /// Its name in requests.
    pub name: &'static str,
    /// Other names that are taken, as people write them after the fence of a code block.
    pub aliases: &'static [&'static str],
}

/// Every language.
pub const LANGUAGES: [Language; 4] = [
    Language { name: "python", aliases: &["py", "python3"] },
    Language { name: "javascript", aliases: &["js", "node", "mjs"] },
    Language { name: "typescript", aliases: &["ts"] },
    Language { name: "bash", aliases: &["sh", "shell"] },
];

impl Language {
    /// A language by its name or an alias of it.
    pub fn find(name: &str) -> Option<Self> {
        LANGUAGES.into_iter().find(|row| row.name == name || row.aliases.contains(&name))
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// [`VERSION`].
    pub version: u32,
    /// A name of [`LANGUAGES`].
    pub language: String,
    /// The program's text.
    pub code: String,
    /// What lies in the run's folder when it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// Standard input; after it, its end.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdin: String,
    /// The program's arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables beside the sandbox's own, which cannot be changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// What the answer's [`super::seal`] is made with: another for every run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nonce: String,
    /// Whether the answer is to be one object and not lines: a Lambda function is not told how it was invoked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
}

/// A file of a run's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path below the folder, with `/` between names.
    pub name: String,
    /// Its content.
    pub content: String,
    /// How the content is written.
    #[serde(default)]
    pub encoding: Encoding,
}

/// How bytes stand in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// As text.
    #[default]
    Utf8,
    /// In the standard alphabet, padded.
    Base64,
}

/// What a run may use; each within its range in [`bounds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// Processor time in milliseconds.
    pub cpu_ms: u64,
    /// Resident memory of all processes.
    pub memory_bytes: u64,
    /// Kept of standard output, and as much of standard error.
    pub output_bytes: u64,
    /// Written to the run's folder.
    pub disk_bytes: u64,
    /// Files handed back.
    pub artifacts: u64,
    /// Bytes of the files handed back.
    pub artifacts_bytes: u64,
    /// Processes and threads at once.
    pub processes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_ms: 30_000,
            cpu_ms: 30_000,
            memory_bytes: 512 * 1024 * 1024,
            output_bytes: 1024 * 1024,
            disk_bytes: 128 * 1024 * 1024,
            artifacts: 64,
            artifacts_bytes: 4 * 1024 * 1024,
            processes: 64,
        }
    }
}

impl Execution {
    /// A run of this code with nothing else.
    pub fn of(language: &str, code: &str) -> Self {
        Self {
            version: VERSION,
            language: language.to_owned(),
            code: code.to_owned(),
            files: Vec::new(),
            stdin: String::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            limits: Limits::default(),
            nonce: String::new(),
            whole: false,
        }
    }

    /// Holds it against every bound. The error names the member and what to send instead. Both sides ask this: the
    /// gateway before it sends, the sandbox before it writes anything.
    pub fn check(&self) -> Result<(), Error> {
        if self.version != VERSION {
            return Err(refuse("version", format!("this sandbox speaks version {VERSION} of the protocol")));
        }
        if Language::find(&self.language).is_none() {
            let names: Vec<_> = LANGUAGES.iter().map(|row| row.name).collect();
            return Err(refuse("language", format!("must be one of {}", names.join(", "))));
        }
        at_most("code", self.code.len(), bounds::CODE, "bytes")?;
        without_nul("code", &self.code)?;
        at_most("stdin", self.stdin.len(), bounds::STDIN, "bytes")?;
        at_most("args", self.args.len(), bounds::ARGS, "arguments")?;
        for arg in &self.args {
            at_most("args", arg.len(), bounds::ARG, "bytes each")?;
            without_nul("args", arg)?;
        }
        at_most("env", self.env.len(), bounds::ENV, "variables")?;
        for (name, value) in &self.env {
            variable(name, value)?;
        }
        at_most("nonce", self.nonce.len(), bounds::ARG, "bytes")?;
        files::check(&self.files)?;
        self.limits.check()
    }
}

impl Limits {
    /// Each limit with its name and its range.
    pub fn rows(&self) -> [(&'static str, u64, RangeInclusive<u64>); 8] {
        [
            ("wall_ms", self.wall_ms, bounds::WALL_MS),
            ("cpu_ms", self.cpu_ms, bounds::CPU_MS),
            ("memory_bytes", self.memory_bytes, bounds::MEMORY_BYTES),
            ("output_bytes", self.output_bytes, bounds::OUTPUT_BYTES),
            ("disk_bytes", self.disk_bytes, bounds::DISK_BYTES),
            ("artifacts", self.artifacts, bounds::ARTIFACTS),
            ("artifacts_bytes", self.artifacts_bytes, bounds::ARTIFACTS_BYTES),
            ("processes", self.processes, bounds::PROCESSES),
        ]
    }

    /// Each limit by its name made anew, in the order of [`Limits::rows`].
    pub fn map(&self, mut make: impl FnMut(&'static str, u64) -> u64) -> Self {
        let [wall_ms, cpu_ms, memory_bytes, output_bytes, disk_bytes, artifacts, artifacts_bytes, processes] =
            self.rows().map(|(name, value, _)| make(name, value));
        Self {
            wall_ms,
            cpu_ms,
            memory_bytes,
            output_bytes,
            disk_bytes,
            artifacts,
            artifacts_bytes,
            processes,
        }
    }

    /// Of each limit the smaller.
    pub fn within(&self, most: &Self) -> Self {
        let mut most = most.rows().into_iter();
        self.map(|_, value| most.next().map_or(value, |(_, most, _)| value.min(most)))
    }

    /// Each within its range.
    pub fn check(&self) -> Result<(), Error> {
        for (name, value, range) in self.rows() {
            if !range.contains(&value) {
                let says = format!("must be between {} and {}", range.start(), range.end());
                return Err(refuse(&format!("limits.{name}"), says));
            }
        }
        Ok(())
    }
}

/// A variable may have any name of the usual kind but those that change how an interpreter starts, or that name the
/// sandbox's own.
fn variable(name: &str, value: &str) -> Result<(), Error> {
    let usual = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !usual || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(refuse(
            "env",
            "a variable's name has letters, digits and underscores, and no digit first",
        ));
    }
    at_most("env", name.len().saturating_add(value.len()), bounds::VARIABLE, "bytes each")?;
    without_nul("env", value)?;
    let upper = name.to_ascii_uppercase();
    if FIXED.contains(&upper.as_str()) || PREFIXES.iter().any(|prefix| upper.starts_with(prefix)) {
        return Err(refuse("env", format!("`{name}` is the sandbox's own and cannot be set")));
    }
    Ok(())
}

/// Variables that a loader, an interpreter or a shell acts upon when it starts.
const FIXED: [&str; 15] = [
    "BASHOPTS",
    "BASH_ENV",
    "CDPATH",
    "ENV",
    "GCONV_PATH",
    "HOME",
    "IFS",
    "LANG",
    "PATH",
    "PS4",
    "PWD",
    "SHELL",
    "SHELLOPTS",
    "TMPDIR",
    "TZ",
];
const PREFIXES: [&str; 12] = [
    "AWS_",
    "BASH_FUNC_",
    "DYLD_",
    "GLIBC_",
    "LAMBDA_",
    "LC_",
    "LD_",
    "MALLOC_",
    "NODE_",
    "OPENCODE_",
    "PYTHON",
    "_",
];

fn at_most(name: &str, has: usize, bound: usize, unit: &str) -> Result<(), Error> {
    if has <= bound {
        Ok(())
    } else {
        Err(refuse(name, format!("has {has} {unit}; at most {bound} are taken")))
    }
}

fn without_nul(name: &str, text: &str) -> Result<(), Error> {
    if text.contains('\0') { Err(refuse(name, "holds a NUL character")) } else { Ok(()) }
}

pub(super) fn refuse(name: &str, says: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Kind::Invalid, format!("`{name}` {}", says.into())).at(name)
}
