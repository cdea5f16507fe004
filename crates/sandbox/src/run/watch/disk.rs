//! What a run has written to its folder, counted while it still writes.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

/// Files and folders that a run may have at once.
pub const FILES: u64 = 10_000;
/// Folders inside each other that are looked into; deeper ones count as too many files.
const DEPTH: usize = 100;

/// What a folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Bytes of the disk.
    pub bytes: u64,
    /// Files and folders; at most one more than [`FILES`].
    pub files: u64,
}

/// Counts, and stops where there are too many files.
pub fn held(folder: &Path) -> Held {
    let mut held = Held::default();
    if let Ok(folder) = rustix::fs::open(folder, FOLDER, Mode::empty()) {
        count(&folder, 0, &mut held);
    }
    held
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn count(folder: &OwnedFd, depth: usize, held: &mut Held) {
    if depth > DEPTH {
        held.files = FILES + 1;
    }
    let Ok(entries) = Dir::read_from(folder) else { return };
    for entry in entries.flatten() {
        if held.files > FILES {
            return;
        }
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(found) = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        held.files += 1;
        held.bytes += u64::try_from(found.st_blocks).unwrap_or(0) * 512;
        if FileType::from_raw_mode(found.st_mode).is_dir()
            && let Some(below) = super::super::wipe::enter(folder, name)
        {
            count(&below, depth + 1, held);
        }
    }
}
