//! Running other programs.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Doing, Result, failed};
use crate::workspace;

/// A program, to be started at the top of the checkout, without what cargo tells the program it runs: left in, it
/// makes build scripts believe that their surroundings changed, and crates are built again.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(workspace::root());
    for (name, _) in env::vars_os() {
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_PRIMARY_", "CARGO_CRATE_"];
        if name.to_str().is_some_and(|name| ours.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs to the end; anything but success is an error that names the program.
pub fn run(command: &mut Command) -> Result<()> {
    let name = name_of(command);
    let status = command.stdin(Stdio::null()).status().doing(format!("start {name}"))?;
    if status.success() { Ok(()) } else { failed(format!("{name} failed ({status})")) }
}

/// Runs to the end and hands each line of standard output to `line`; says whether it succeeded.
pub fn lines(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let name = name_of(command);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().doing(format!("start {name}"))?;
    if let Some(output) = child.stdout.take() {
        for text in BufReader::new(output).split(b'\n') {
            line(&String::from_utf8_lossy(&text.doing(format!("read what {name} prints"))?));
        }
    }
    Ok(child.wait().doing(format!("wait for {name}"))?.success())
}

/// What a program prints, both streams together; `None` when it cannot be started or fails.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    Some([output.stdout, output.stderr].iter().map(|bytes| String::from_utf8_lossy(bytes)).collect())
}

/// Puts folders first on the program's `PATH`.
pub fn first_on_path<'a>(command: &'a mut Command, folders: &[PathBuf]) -> Result<&'a mut Command> {
    let rest = env::var_os("PATH").unwrap_or_default();
    let all = folders.iter().cloned().chain(env::split_paths(&rest));
    let path = env::join_paths(all).doing("build a PATH")?;
    Ok(command.env("PATH", path))
}

/// Whether a program of that name is on the `PATH`.
pub fn on_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn name_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let first = command.get_args().next().map(OsStr::to_string_lossy).unwrap_or_default();
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    format!("{name} {first}").trim_end().to_owned()
}
