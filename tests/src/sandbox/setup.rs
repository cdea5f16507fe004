//! The three set-ups, and the folder of programs that every stage of a run shares.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::tools;

/// What protects what an attack is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The local sandbox: signed Invoke over loopback, every barrier of Linux.
    Full,
    /// The bootstrap where Linux refuses what Lambda refuses.
    Lambda,
    /// A runner as it is written in an afternoon: nothing protects anything.
    Control,
}

impl Setup {
    /// In the order in which they run.
    pub const ALL: [Self; 3] = [Self::Full, Self::Lambda, Self::Control];

    /// Its name in arguments and scores.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Lambda => "lambda",
            Self::Control => "control",
        }
    }

    /// By its name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setup| setup.name() == name)
    }
}

/// What stages are made of: programs, each with the mode that it has in an image, and tools.
pub struct Parts {
    programs: TempDir,
    /// The folder of Python's packages.
    pub packages: PathBuf,
    /// The folder of esbuild.
    pub esbuild: PathBuf,
}

impl Parts {
    /// Copies the programs, since a mode is a file's own.
    pub fn gather() -> Result<Self, String> {
        let programs = tempfile::tempdir().map_err(|error| error.to_string())?;
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        for (name, from, mode) in [
            ("bootstrap", tools::path(tools::SANDBOX_BIN)?, 0o111),
            ("opencode", tools::path(tools::NATIVE_BIN)?, 0o755),
            ("tests", own, 0o755),
        ] {
            let to = programs.path().join(name);
            fs::copy(&from, &to).map_err(|error| format!("{}: {error}", from.display()))?;
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(&to, mode).map_err(|error| error.to_string())?;
        }
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(programs.path(), open).map_err(|error| error.to_string())?;
        Ok(Self {
            programs,
            packages: tools::path(tools::SANDBOX_PACKAGES)?,
            esbuild: tools::path(tools::SANDBOX_ESBUILD)?,
        })
    }

    /// `bootstrap`, `opencode` and `tests`, this program.
    pub fn programs(&self) -> &Path {
        self.programs.path()
    }
}
