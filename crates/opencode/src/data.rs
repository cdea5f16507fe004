//! The data folder and the secrets that are made for it: readable by their owner only.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// An existing, writable folder.
pub struct Data {
    path: PathBuf,
}

impl Data {
    /// Makes the folder (0700) where it is missing and sees that files can be made in it.
    pub fn open(path: &Path) -> Result<Self, String> {
        let probe = path.join(format!("probe.{}", std::process::id()));
        let tried = DirBuilder::new().recursive(true).mode(0o700).create(path).and_then(|()| {
            fs::write(&probe, "")?;
            fs::remove_file(&probe)
        });
        tried.map_err(|error| {
            format!(
                "the data folder {} cannot be written: {error}; choose another with --data",
                path.display()
            )
        })?;
        Ok(Self { path: path.to_owned() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text kept under that name; made on the first start. Processes that start together agree on one.
    pub fn kept(&self, name: &str, make: impl FnOnce() -> Result<String, String>) -> Result<String, String> {
        let path = self.path.join(name);
        let failed = |error: std::io::Error| format!("{} cannot be kept: {error}", path.display());
        match fs::read_to_string(&path) {
            Ok(text) => {
                // Whoever copied it here may have left it open.
                fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
                return Ok(text.trim().to_owned());
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            Err(_) => {}
        }
        // Written whole under another name first: whoever finds the file finds all of it.
        let draft = self.path.join(format!("{name}.{}", std::process::id()));
        let text = make()?;
        let linked = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| {
                writeln!(file, "{text}")?;
                file.sync_all()
            })
            .and_then(|()| fs::hard_link(&draft, &path));
        let _ = fs::remove_file(&draft);
        match linked {
            Ok(()) => Ok(text),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                fs::read_to_string(&path).map(|text| text.trim().to_owned()).map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// 128 bits from the system.
pub fn random() -> Result<u128, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random bytes: {error}"))?;
    Ok(u128::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_kept_is_made_once_and_private() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("deep/data");
        let data = Data::open(&folder).expect("can be made");
        let made = data.kept("secret", || Ok("one".to_owned()));
        assert_eq!(made, Ok("one".to_owned()));
        assert_eq!(data.kept("secret", || Ok("two".to_owned())), made);
        let mode = |path: &Path| fs::metadata(path).map(|data| data.permissions().mode() & 0o777).ok();
        assert_eq!(mode(&folder.join("secret")), Some(0o600));
        assert_eq!(mode(&folder), Some(0o700));
        assert_eq!(fs::read_dir(&folder).map(Iterator::count).ok(), Some(1), "no draft is left");
    }

    #[test]
    fn a_file_is_no_data_folder() {
        let parent = tempfile::tempdir().expect("a folder");
        let file = parent.path().join("file");
        fs::write(&file, "").expect("a file");
        let why = Data::open(&file).err().expect("refused");
        assert!(why.contains("--data"), "{why}");
    }
}
