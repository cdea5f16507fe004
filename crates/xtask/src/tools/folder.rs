//! One folder of the cache: complete or not there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::failure::{Doing, Result};

/// Present only in a folder whose installer has ended well.
const MARKER: &str = ".complete";

/// A folder of the cache.
pub struct Folder {
    path: PathBuf,
    lock: PathBuf,
    name: String,
}

impl Folder {
    /// The folder of that name; nothing is made yet.
    pub fn new(cache: &Path, name: &str) -> Self {
        Self { path: cache.join(name), lock: cache.join(".lock"), name: name.to_owned() }
    }

    /// Whether its installer has ended well.
    pub fn is_complete(&self) -> bool {
        self.path.join(MARKER).is_file()
    }

    /// Runs the installer on the empty folder, unless someone else did while we waited for the cache's lock.
    ///
    /// It is filled in place, because a Python environment cannot be moved; the marker is written last, so what was
    /// left half done is thrown away and done again.
    pub fn fill(&self, install: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let cache = self.lock.parent().unwrap_or(&self.path);
        fs::create_dir_all(cache).doing("make the cache folder of tools")?;
        let lock = File::create(&self.lock).doing("open the lock of the tools' cache")?;
        lock.lock().doing("lock the tools' cache")?;
        if self.is_complete() {
            return Ok(());
        }
        println!("tools: installing {}", self.name);
        let start = Instant::now();
        if self.path.exists() {
            fs::remove_dir_all(&self.path).doing(format!("clear the unfinished folder {}", self.name))?;
        }
        fs::create_dir_all(&self.path).doing(format!("make the folder {}", self.name))?;
        install(&self.path)?;
        fs::write(self.path.join(MARKER), "").doing(format!("mark {} as complete", self.name))?;
        println!("tools: {} took {:.0} s", self.name, start.elapsed().as_secs_f64());
        Ok(())
    }
}

/// Twelve hexadecimal digits that stand for a text.
pub fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::failed;

    #[test]
    fn a_half_done_folder_is_done_again_and_a_complete_one_is_left_alone() {
        let cache = std::env::temp_dir().join(format!("xtask-folder-{}", std::process::id()));
        let folder = Folder::new(&cache, "thing-1");
        let broken = folder.fill(|path| {
            fs::write(path.join("half"), "").doing("write")?;
            failed("the network is gone")
        });
        assert!(broken.is_err() && !folder.is_complete());
        folder.fill(|path| if path.join("half").exists() { failed("not cleared") } else { Ok(()) }).unwrap();
        assert!(folder.is_complete());
        folder.fill(|_| failed("must not run again")).unwrap();
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn a_digest_is_short_and_follows_the_text() {
        assert_eq!(digest("").len(), 12);
        assert_ne!(digest("a"), digest("b"));
    }
}
