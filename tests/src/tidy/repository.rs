//! The checkout's files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files that git tracks, and those it would.
pub struct Repository {
    root: PathBuf,
    files: Vec<String>,
}

impl Repository {
    /// Lists the checkout that this crate was built from.
    pub fn open() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the tests lie in no workspace")?;
        let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
        let output = Command::new("git").args(list).current_dir(root).output();
        let output = output.map_err(|error| format!("cannot start git: {error}"))?;
        if !output.status.success() {
            return Err(format!("git cannot list the files: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let mut files: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        files.retain(|file| root.join(file).is_file());
        files.sort();
        files.dedup();
        Ok(Self { root: root.to_owned(), files })
    }

    /// Paths from the top, with `/`.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// A file's text; empty when it is not there, which every check that needs it then reports.
    pub fn text(&self, file: &str) -> String {
        fs::read(self.root.join(file))
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// Path and text of each Rust file below a folder.
    pub fn rust(&self, folder: &str) -> Vec<(String, String)> {
        let rust = self.files().filter(|file| file.starts_with(folder) && file.ends_with(".rs"));
        rust.map(|file| (file.to_owned(), self.text(file))).collect()
    }

    /// Name and manifest of each member, named by its folder. A package with a workspace of its own is none.
    pub fn members(&self) -> Vec<(String, String)> {
        let manifests = self.files().filter_map(|file| Some((file, file.strip_suffix("/Cargo.toml")?)));
        let name = |folder: &str| folder.strip_prefix("crates/").unwrap_or(folder).to_owned();
        let members = manifests.map(|(file, folder)| (name(folder), self.text(file)));
        members.filter(|(_, manifest)| !manifest.lines().any(|line| line == "[workspace]")).collect()
    }
}
