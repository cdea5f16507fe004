//! Removing what a run has left, however it was meant to resist.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How long one wipe may take.
pub const BUDGET: Duration = Duration::from_secs(5);

/// Removes a folder with everything in it. Fails where the budget is over or something stays.
pub fn remove(folder: &Path) -> io::Result<()> {
    empty(folder)?;
    Ok(rustix::fs::rmdir(folder)?)
}

/// Removes everything in a folder.
///
/// Folders inside it are not entered one inside the other, since there may be thousands: each is emptied into the
/// topmost one, so that every path has two parts.
pub fn empty(folder: &Path) -> io::Result<()> {
    empty_except(folder, None)
}

/// Removes everything in a folder but what `keep` lies in.
pub fn empty_but(folder: &Path, keep: &Path) -> io::Result<()> {
    let kept = keep.strip_prefix(folder).ok().and_then(|below| below.components().next());
    empty_except(folder, kept.map(|kept| kept.as_os_str()))
}

fn empty_except(folder: &Path, keep: Option<&std::ffi::OsStr>) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let until = Instant::now() + BUDGET;
    let top = rustix::fs::openat(CWD, folder, FOLDER, Mode::empty())?;
    let mut moved = 0_u64;
    loop {
        let mut left = false;
        for entry in Dir::read_from(&top)? {
            let entry = entry?;
            let name = entry.file_name();
            if !is_self(name) && keep.is_none_or(|keep| keep.as_bytes() != name.to_bytes()) {
                left = true;
                remove_entry(&top, name, &mut moved, until)?;
            }
        }
        if !left {
            return Ok(());
        }
    }
}

/// Opens a folder by its name, also one that its owner may not enter. `None` where it is no folder.
pub fn enter(above: &OwnedFd, name: &CStr) -> Option<OwnedFd> {
    match rustix::fs::openat(above, name, FOLDER, Mode::empty()) {
        Ok(folder) => Some(folder),
        Err(Errno::ACCESS) => {
            let path = rustix::fs::openat(above, name, FOLDER | OFlags::PATH, Mode::empty()).ok()?;
            // The permissions of what is open can only be changed by such a name, and a link is not followed then.
            rustix::fs::chmod(format!("/proc/self/fd/{}", path.as_raw_fd()), Mode::RWXU).ok()?;
            rustix::fs::openat(above, name, FOLDER, Mode::empty()).ok()
        }
        Err(_) => None,
    }
}

/// Removes a file, or a folder after its folders were moved up to `top`.
fn remove_entry(top: &OwnedFd, name: &CStr, moved: &mut u64, until: Instant) -> io::Result<()> {
    match rustix::fs::unlinkat(top, name, AtFlags::empty()) {
        Ok(()) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    if rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR).is_ok() {
        return Ok(());
    }
    let folder = enter(top, name).ok_or(io::ErrorKind::PermissionDenied)?;
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let inner = entry.file_name();
        if is_self(inner) {
            continue;
        }
        if Instant::now() > until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match rustix::fs::unlinkat(&folder, inner, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => lift(&folder, inner, top, moved)?,
            Err(error) => return Err(error.into()),
        }
    }
    match rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR) {
        // A folder may say that it is at its end before it was read whole, when entries go while it is read: the
        // caller looks again.
        Ok(()) | Err(Errno::NOTEMPTY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn lift(folder: &OwnedFd, name: &CStr, top: &OwnedFd, moved: &mut u64) -> io::Result<()> {
    if rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR).is_ok() {
        return Ok(());
    }
    // Moving a folder elsewhere changes its `..`, for which it must be writable.
    drop(enter(folder, name));
    loop {
        *moved += 1;
        let target = format!("lifted-{moved}-{}", super::random::name());
        match rustix::fs::renameat(folder, name, top, &target) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_self(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}
