//! The files of a run: found without following a link, without leaving the folder, in the order of their names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use opencode_core::sandbox::{Execution, Name, Skipped, bounds};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags};

use super::{Left, Room};
use crate::run::languages::Language;

/// Entries that are looked at, files and folders.
const ENTRIES: u32 = 20_000;
/// What is not handed back is named at most so often.
const SKIPPED: usize = 256;

struct Walk<'a> {
    work: OwnedFd,
    /// What was sent, by name.
    sent: BTreeMap<&'a str, &'a opencode_core::sandbox::File>,
    /// The sandbox's own files.
    own: Option<String>,
    room: &'a mut Room,
    left: &'a mut Left,
    entries: u32,
}

/// Collects new and changed files.
pub fn collect(work: &Path, execution: &Execution, language: Language, room: &mut Room, left: &mut Left) {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(work) = rustix::fs::openat(CWD, work, flags, Mode::empty()) else { return };
    let sent = execution.files.iter().map(|file| (file.name.as_str(), file)).collect();
    let own = language.file(execution);
    let mut walk = Walk { work, sent, own, room, left, entries: ENTRIES };
    walk.folder("", 0);
    walk.left.removed = walk.sent.into_keys().map(str::to_owned).collect();
}

impl Walk<'_> {
    fn folder(&mut self, path: &str, depth: usize) {
        let below = if path.is_empty() { "." } else { path };
        let Some(folder) = self.open(below, OFlags::DIRECTORY) else {
            return self.skip(path, "unreadable");
        };
        let mut names: Vec<_> = Dir::read_from(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_owned())
            .take(ENTRIES as usize)
            .collect();
        names.sort();
        for name in names {
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Some(left) = self.entries.checked_sub(1) else { return self.skip(path, "too_many") };
            self.entries = left;
            let shown = name.to_string_lossy();
            let path = if path.is_empty() { shown.into_owned() } else { format!("{path}/{shown}") };
            match rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => self.entry(&path, name.to_str().is_ok(), &found, depth),
                Err(_) => self.skip(&path, "unreadable"),
            }
        }
    }

    fn entry(&mut self, path: &str, is_text: bool, found: &rustix::fs::Stat, depth: usize) {
        let kind = FileType::from_raw_mode(found.st_mode);
        if self.is_own(path) {
            return;
        }
        match kind {
            FileType::Symlink => self.skip(path, "symlink"),
            FileType::Directory if depth + 1 >= bounds::DEPTH => self.skip(path, "too_deep"),
            _ if !is_text || Name::parse(path).is_none() => self.skip(path, "name"),
            FileType::Directory => self.folder(path, depth + 1),
            FileType::RegularFile if found.st_nlink != 1 => self.skip(path, "hard_link"),
            FileType::RegularFile => self.file(path),
            _ => self.skip(path, "not_a_file"),
        }
    }

    fn is_own(&self, path: &str) -> bool {
        let Some(own) = &self.own else { return false };
        // TypeScript's translation lies beside it.
        path == own || own.strip_suffix(".ts").is_some_and(|stem| path.strip_suffix(".mjs") == Some(stem))
    }

    fn file(&mut self, path: &str) {
        let Some(file) = self.open(path, OFlags::NONBLOCK) else { return self.skip(path, "unreadable") };
        let mut file = File::from(file);
        if let Some(sent) = self.sent.remove(path)
            && is_as_sent(sent, &mut file)
        {
            return;
        }
        if std::io::Seek::rewind(&mut file).is_err() {
            return self.skip(path, "unreadable");
        }
        match self.room.take(path.to_owned(), &mut file) {
            Ok(artifact) => self.left.artifacts.push(artifact),
            Err(why) => self.skip(path, why),
        }
    }

    /// Opens something below the folder, by the kernel's own promise that no link is followed and nothing is left.
    fn open(&self, path: &str, flags: OFlags) -> Option<OwnedFd> {
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat2(&self.work, path, flags, Mode::empty(), resolve);
        match open() {
            Ok(file) => Some(file),
            Err(rustix::io::Errno::ACCESS) => {
                // Its own owner may not read it; the run is dead, so nobody swaps what is below the name.
                let mode =
                    if flags.contains(OFlags::DIRECTORY) { Mode::RWXU } else { Mode::RUSR | Mode::WUSR };
                rustix::fs::chmodat(&self.work, path, mode, AtFlags::empty()).ok()?;
                open().ok()
            }
            Err(_) => None,
        }
    }

    fn skip(&mut self, path: &str, why: &str) {
        if self.left.skipped.len() < SKIPPED {
            let name = path.chars().take(bounds::NAME).collect();
            self.left.skipped.push(Skipped { name, why: why.to_owned() });
        }
    }
}

fn is_as_sent(sent: &opencode_core::sandbox::File, file: &mut File) -> bool {
    let bytes = sent.bytes().unwrap_or_default();
    if file.metadata().map_or(u64::MAX, |found| found.len()) != bytes.len() as u64 {
        return false;
    }
    let mut now = Vec::with_capacity(bytes.len());
    file.take(bytes.len() as u64 + 1).read_to_end(&mut now).is_ok() && now == bytes
}
