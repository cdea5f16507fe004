//! The folder of one run, for temporary files and what the harness finds; in it `work`, where the program runs and
//! whose files are handed back. Both belong to the run and are wiped after it. There are no more than these two, since
//! removing a folder is what costs most on some disks: 2.6 ms where each is told at once what is free.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use opencode_core::sandbox::{File, Name};
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const NEW: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A run's folder.
pub struct Folder {
    path: PathBuf,
    owner: Option<(Uid, Gid)>,
}

impl Folder {
    /// Makes one with a random name.
    pub fn make(base: &Path, owner: Option<u32>) -> io::Result<Self> {
        let path = base.join(super::random::name());
        let owner = owner.map(|id| (Uid::from_raw(id), Gid::from_raw(id)));
        let folder = Self { path, owner };
        for path in [folder.path.clone(), folder.work()] {
            rustix::fs::mkdirat(CWD, &path, Mode::RWXU)?;
            if let Some((user, group)) = owner {
                rustix::fs::chownat(CWD, &path, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
            }
        }
        Ok(folder)
    }

    /// All of it; the folder of temporary files, and where the harness writes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the program runs.
    pub fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// Writes the files of a checked execution into `work`.
    pub fn write_files(&self, files: &[File]) -> io::Result<()> {
        let work = rustix::fs::open(self.work(), FOLDER, Mode::empty())?;
        for file in files {
            let name = Name::parse(&file.name).ok_or(io::ErrorKind::InvalidInput)?;
            let bytes = file.bytes().ok_or(io::ErrorKind::InvalidData)?;
            self.write_below(&work, name.parts(), &bytes)?;
        }
        Ok(())
    }

    /// Writes one file that the sandbox itself adds.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.fill(rustix::fs::openat(CWD, path, NEW, Mode::RUSR | Mode::WUSR)?, bytes)
    }

    fn write_below<'a>(
        &self,
        work: &OwnedFd,
        parts: impl Iterator<Item = &'a str>,
        bytes: &[u8],
    ) -> io::Result<()> {
        let mut folder = None;
        let mut parts = parts.peekable();
        while let Some(part) = parts.next() {
            let above = folder.as_ref().unwrap_or(work);
            if parts.peek().is_none() {
                return self.fill(rustix::fs::openat(above, part, NEW, Mode::RUSR | Mode::WUSR)?, bytes);
            }
            match rustix::fs::mkdirat(above, part, Mode::RWXU) {
                Ok(()) => self.own(above, part)?,
                Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            folder = Some(rustix::fs::openat(above, part, FOLDER, Mode::empty())?);
        }
        Ok(())
    }

    fn own(&self, above: &OwnedFd, part: &str) -> io::Result<()> {
        if let Some((user, group)) = self.owner {
            rustix::fs::chownat(above, part, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    fn fill(&self, file: OwnedFd, bytes: &[u8]) -> io::Result<()> {
        if let Some((user, group)) = self.owner {
            rustix::fs::fchown(&file, Some(user), Some(group))?;
        }
        io::Write::write_all(&mut std::fs::File::from(file), bytes)
    }
}
