//! How each language is started, and what its interpreter must be able to read.

use std::path::{Path, PathBuf};

use opencode_core::sandbox::{Execution, Limits};

use super::folder::Folder;
use super::harness;
use super::settings::Settings;
use super::spawn::Command;

/// A language, as it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    Python,
    JavaScript,
    TypeScript,
    Bash,
}

impl Language {
    /// By any of its names in the protocol.
    pub fn find(name: &str) -> Option<Self> {
        match opencode_core::sandbox::Language::find(name)?.name {
            "python" => Some(Self::Python),
            "javascript" => Some(Self::JavaScript),
            "typescript" => Some(Self::TypeScript),
            "bash" => Some(Self::Bash),
            _ => None,
        }
    }

    /// Whether an interpreter can wait for its program.
    pub fn can_wait(self) -> bool {
        self != Self::Bash
    }

    /// Why it cannot run here.
    pub fn missing(self, settings: &Settings) -> Option<&'static str> {
        match self {
            Self::Python if settings.python.is_none() => Some("this sandbox has no Python"),
            Self::JavaScript | Self::TypeScript if settings.node.is_none() => {
                Some("this sandbox has no Node.js")
            }
            Self::TypeScript if settings.esbuild.is_none() => {
                Some("this sandbox has no esbuild, which TypeScript needs")
            }
            Self::Bash if settings.bash.is_none() => Some("this sandbox has no Bash"),
            _ => None,
        }
    }

    /// The file of the program below `work`, where it needs one there: relative imports start from it.
    pub fn file(self, execution: &Execution) -> Option<String> {
        let ending = match self {
            Self::JavaScript => "js",
            Self::TypeScript => "ts",
            Self::Python | Self::Bash => return None,
        };
        let taken = |name: &String| execution.files.iter().any(|file| file.name.eq_ignore_ascii_case(name));
        (0_u32..)
            .map(|count| format!("main{}.{ending}", "_".repeat(count as usize)))
            .find(|name| !taken(name))
    }

    /// Makes everything ready in the folder and says what the harness is fed.
    pub fn prepare(self, execution: &Execution, folder: &Folder) -> std::io::Result<Vec<u8>> {
        let program = match self {
            Self::Python => execution.code.clone(),
            Self::Bash => {
                folder.write(&bash_program(folder), execution.code.as_bytes())?;
                return Ok(Vec::new());
            }
            Self::JavaScript | Self::TypeScript => {
                let path = folder.work().join(self.file(execution).unwrap_or_default());
                folder.write(&path, execution.code.as_bytes())?;
                path.to_string_lossy().into_owned()
            }
        };
        Ok(harness::feed(&program, &execution.args, &execution.env))
    }

    /// How it is started. An interpreter that waits does not know its execution yet. `compiled` is what
    /// [`harness::compile`] gave.
    pub fn command(
        self,
        settings: &Settings,
        compiled: &[u8],
        folder: &Folder,
        limits: &Limits,
        execution: Option<&Execution>,
    ) -> std::io::Result<Command> {
        let mut env = environment(folder);
        let (program, args) = match self {
            Self::Python => (settings.python.as_ref(), python(settings, compiled, folder)),
            Self::JavaScript | Self::TypeScript => {
                let harness = folder.path().join("harness.cjs");
                folder.write(&harness, harness::NODE.as_bytes())?;
                (settings.node.as_ref(), node(settings, &harness, limits))
            }
            Self::Bash => {
                let mut args = vec!["bash".to_owned(), "--noprofile".to_owned(), "--norc".to_owned()];
                args.push(bash_program(folder).to_string_lossy().into_owned());
                if let Some(execution) = execution {
                    args.extend(execution.args.iter().cloned());
                    env.extend(execution.env.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
                (settings.bash.as_ref(), args)
            }
        };
        let program = program.cloned().ok_or(std::io::ErrorKind::NotFound)?;
        let first = if self == Self::Python { compiled.to_vec() } else { Vec::new() };
        Ok(Command { program, args, env, fed: self.can_wait().then_some(first) })
    }
}

/// `-I` ignores variables, the user's packages and the current folder; `-B` writes no bytecode.
fn python(settings: &Settings, compiled: &[u8], folder: &Folder) -> Vec<String> {
    let mut code = String::new();
    // Before the distribution's own packages, behind the standard library.
    for packages in &settings.packages {
        let path = serde_json::to_string(&packages.to_string_lossy()).unwrap_or_default();
        code.push_str(
            "import sys;sys.path.insert(next((i for i,p in enumerate(sys.path)if'-packages'in p),99),",
        );
        code.push_str(&format!("{path})\n"));
    }
    for module in &settings.preload {
        code.push_str(&format!("import {module}\n"));
    }
    code.push_str(&harness::start(compiled));
    let out = folder.path().to_string_lossy().into_owned();
    let fixed = ["python3", "-I", "-B", "-c"].map(str::to_owned);
    fixed.into_iter().chain([code, out, harness::PLOTS.to_owned()]).collect()
}

fn node(settings: &Settings, harness: &Path, limits: &Limits) -> Vec<String> {
    let heap = limits.memory_bytes / (1024 * 1024);
    let esbuild = settings.esbuild.as_ref().map(|path| path.to_string_lossy().into_owned());
    vec![
        "node".to_owned(),
        format!("--max-old-space-size={heap}"),
        "--no-warnings".to_owned(),
        harness.to_string_lossy().into_owned(),
        esbuild.unwrap_or_default(),
    ]
}

fn bash_program(folder: &Folder) -> PathBuf {
    folder.path().join("main.sh")
}

/// What every program finds in its environment.
fn environment(folder: &Folder) -> Vec<(String, String)> {
    let (work, temporary) = (folder.work(), folder.path());
    let (work, temporary) = (work.to_string_lossy(), temporary.to_string_lossy());
    [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", &work),
        ("PWD", &work),
        ("TMPDIR", &temporary),
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
        ("SHELL", "/bin/bash"),
        ("MPLBACKEND", "Agg"),
        ("MPLCONFIGDIR", &temporary),
        // Fontconfig's caches are no artifacts.
        ("XDG_CACHE_HOME", &temporary),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("NODE_DISABLE_COLORS", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// What interpreters and the programs that they start read. Nothing of `/etc` but what a loader, a clock and fonts
/// need, nobody's home, and of `/proc` what a program asks about the machine.
pub const READ: [&str; 26] = [
    "/bin",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/lib",
    "/lib64",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/vm/overcommit_memory",
    "/proc/version",
    "/sys/devices/system/cpu",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/lib",
    "/usr/share",
    "/dev/random",
    "/dev/urandom",
];

/// Devices that take anything.
pub const DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/full"];

/// The interpreters themselves, and the libraries that lie beside them, as `lib` does beside `bin`.
pub fn interpreters(settings: &Settings) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for program in [&settings.python, &settings.node, &settings.esbuild, &settings.bash].into_iter().flatten()
    {
        let library = program.parent().and_then(Path::parent).map(|prefix| prefix.join("lib"));
        paths.push(program.clone());
        paths.extend(library);
    }
    paths
}
