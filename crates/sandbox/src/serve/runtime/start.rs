//! An environment's start: from Lambda's variables to its first question for an event.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use opencode_core::sandbox::{Isolation, Profile};

use super::guard::is_unreadable;
use super::{Address, Api, End, NOTE, Rules, serve};
use crate::run::{Sandbox, Settings};

/// The names of an environment's variables.
pub mod names {
    /// Where the Runtime API is: made of Lambda's own variable when the bootstrap starts itself anew.
    pub const API: &str = "OPENCODE_SANDBOX_API";
    /// The key that answers are sealed with; none: they are not sealed.
    pub const SEAL: &str = "OPENCODE_SANDBOX_SEAL";
    /// `always`: end after every run.
    pub const RECYCLE: &str = "OPENCODE_SANDBOX_RECYCLE";
    /// The folder that runs work in. It is emptied at the start: all of it belongs to the sandbox.
    pub const FOLDER: &str = "OPENCODE_SANDBOX_FOLDER";
    /// Folders that code can write to and that belong to the sandbox alone, with colons between them: emptied at the
    /// start, and before and after each run.
    pub const SCRATCH: &str = "OPENCODE_SANDBOX_SCRATCH";
    /// `full` or `lambda`; the better one that can be had unless set.
    pub const PROFILE: &str = "OPENCODE_SANDBOX_PROFILE";
    /// Bytes of an answer that is one object.
    pub const ANSWER: &str = "OPENCODE_SANDBOX_ANSWER_BYTES";
}

/// Lambda's own.
const LAMBDA_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// What Lambda takes of an answer, with a little air: 6 MB.
const ANSWER_BYTES: usize = 6_000_000;
/// The only part of a Lambda function's file system that can be written, and the sandbox's folder there.
const LAMBDA_SCRATCH: &str = "/tmp";
const LAMBDA_FOLDER: &str = "opencode-sandbox";

/// Is an environment until it must end. Every end is a failure, so that Lambda throws the environment away.
pub fn main() -> ExitCode {
    if let Some(address) = env::var_os(LAMBDA_API) {
        let error = anew(address, env::vars_os().collect());
        eprintln!("opencode-sandbox: it cannot be started anew: {error}");
        return ExitCode::FAILURE;
    }
    let Some(address) = text(names::API) else {
        eprintln!("opencode-sandbox: {LAMBDA_API} is not set: this is the bootstrap of a Lambda function");
        return ExitCode::FAILURE;
    };
    let address = Address::parse(&address);
    if let Err(why) = run(&address) {
        eprintln!("opencode-sandbox: {why}");
        let _ = Api::new(address, String::new()).cannot_start("Sandbox.Refused", &why);
    }
    ExitCode::FAILURE
}

/// Starts this program again with nothing of Lambda's in its environment. A program file that cannot be read (mode
/// 0111) makes a process that cannot be read either, which whoever started the first one may have kept from being so.
fn anew(address: OsString, variables: BTreeMap<OsString, OsString>) -> std::io::Error {
    let ours = |name: &OsString| {
        name == "PATH" || name.to_str().is_some_and(|name| name.starts_with("OPENCODE_SANDBOX_"))
    };
    let lambda = variables.contains_key(&OsString::from("AWS_LAMBDA_FUNCTION_NAME"));
    let kept = variables.into_iter().filter(|(name, _)| ours(name));
    let mut command = Command::new("/proc/self/exe");
    command.args(env::args_os().skip(1)).env_clear().envs(kept).env(names::API, address);
    if lambda {
        command
            .env(names::FOLDER, Path::new(LAMBDA_SCRATCH).join(LAMBDA_FOLDER))
            .env(names::SCRATCH, LAMBDA_SCRATCH);
    }
    command.exec()
}

fn run(address: &Address) -> Result<(), String> {
    without_core_dumps();
    let settings = settings()?;
    empty(&settings.base)?;
    let (scratch, folder) = (settings.scratch.clone(), settings.base.clone());
    let mut sandbox = Sandbox::new(settings).map_err(|refused| refused.to_string())?;
    let nondumpable = sandbox.isolation().separate_user || is_unreadable();
    let isolation = Isolation { nondumpable, ..sandbox.isolation().clone() };
    let note = serde_json::to_string(&isolation).map_err(|error| error.to_string())?;
    let rules = Rules {
        seal: text(names::SEAL),
        recycle: text(names::RECYCLE).as_deref() == Some("always"),
        answer_bytes: text(names::ANSWER).and_then(|text| text.parse().ok()).unwrap_or(ANSWER_BYTES),
        scratch,
        folder,
        nondumpable,
    };
    let end = serve(&Api::new(address.clone(), format!("{NOTE}: {note}\r\n")), &mut sandbox, &rules);
    if end == End::Refused {
        eprintln!("opencode-sandbox: somebody else has answered; the environment ends");
    }
    Ok(())
}

/// Only what the variables say: a default would be a folder that others use too.
fn settings() -> Result<Settings, String> {
    let base = text(names::FOLDER).map(PathBuf::from);
    let base = base.ok_or_else(|| format!("{} names no folder to work in", names::FOLDER))?;
    let default = Settings::default();
    let program = |name: &str, found: Option<PathBuf>| text(name).map(PathBuf::from).or(found);
    let paths = |name: &str| -> Vec<PathBuf> {
        env::split_paths(&text(name).unwrap_or_default()).filter(|path| path.is_absolute()).collect()
    };
    let words = |name: &str| -> Vec<String> {
        text(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    let profile = match text(names::PROFILE).as_deref() {
        None => None,
        Some("full") => Some(Profile::Full),
        Some("lambda") => Some(Profile::Lambda),
        Some(other) => return Err(format!("{} is {other:?}: full and lambda are known", names::PROFILE)),
    };
    Ok(Settings {
        base,
        profile,
        python: program("OPENCODE_SANDBOX_PYTHON", default.python),
        node: program("OPENCODE_SANDBOX_NODE", default.node),
        esbuild: program("OPENCODE_SANDBOX_ESBUILD", default.esbuild),
        bash: program("OPENCODE_SANDBOX_BASH", default.bash),
        packages: paths("OPENCODE_SANDBOX_PACKAGES"),
        readable: paths("OPENCODE_SANDBOX_READABLE"),
        scratch: paths(names::SCRATCH),
        // Where the barriers cannot be put up ahead, nothing is started: `Sandbox::prepare` sees to it.
        warm: text("OPENCODE_SANDBOX_WARM")
            .map_or_else(|| vec!["python".to_owned()], |_| words("OPENCODE_SANDBOX_WARM")),
        preload: words("OPENCODE_SANDBOX_PRELOAD"),
        network_namespace: text("OPENCODE_SANDBOX_NETWORK_NAMESPACE").as_deref() != Some("no"),
    })
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A core dump would hold the seal's key.
fn without_core_dumps() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
}

/// What a run before a reset has left: Lambda keeps `/tmp`.
fn empty(base: &Path) -> Result<(), String> {
    if !base.is_absolute() || base.components().count() < 3 {
        return Err(format!("{} is no folder of the sandbox's own", base.display()));
    }
    match crate::run::empty(base) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{} cannot be emptied: {error}", base.display()))
        }
        _ => Ok(()),
    }
}
