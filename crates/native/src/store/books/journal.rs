//! The journal: what was changed since the file was last written, in the order in which it was.
//!
//! One file a segment, `NAME.journal.N` beside the database. A frame is the length of what follows the sum (4 bytes,
//! little-endian), its CRC-32 (4), the length of the change (4), the change as JSON, and the value of an entry. A
//! frame that was not written whole ends its segment: nobody was told that it was kept.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::{Buf as _, Bytes};
use opencode_core::host::{Hold, Key, Spent, Time};
use serde::{Deserialize, Serialize};

/// A change of the books.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change<'a> {
    Hold(Cow<'a, Hold>),
    Close {
        id: Cow<'a, str>,
        spent: Cow<'a, [Spent]>,
    },
    /// Its value follows.
    Append {
        log: Cow<'a, Key>,
        id: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Time>,
    },
}

/// The bytes before a frame's change.
const HEAD: usize = 12;

/// A segment that is being written.
pub(super) struct Segment {
    pub(super) number: u64,
    /// How long it is, in bytes.
    pub(super) length: u64,
    file: File,
    frame: Vec<u8>,
    /// Whether a half-written frame could not be taken back: nothing may follow it.
    torn: bool,
}

impl Segment {
    pub(super) fn create(path: &Path, number: u64) -> io::Result<Self> {
        let path = name(path, number);
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)?;
        Ok(Self { number, length: 0, file, frame: Vec::new(), torn: false })
    }

    /// Writes a change, so that it outlives this process; on an error it has not happened.
    pub(super) fn write(&mut self, change: &Change, value: &[u8]) -> io::Result<()> {
        if self.torn {
            return Err(io::Error::other("its journal is broken"));
        }
        self.frame.clear();
        self.frame.extend_from_slice(&[0; HEAD]);
        serde_json::to_writer(&mut self.frame, change)?;
        let change = u32::try_from(self.frame.len() - HEAD).map_err(io::Error::other)?;
        self.frame.extend_from_slice(value);
        self.frame[8..HEAD].copy_from_slice(&change.to_le_bytes());
        let (length, sum) = (self.frame.len() - 8, crc32fast::hash(&self.frame[8..]));
        self.frame[..4].copy_from_slice(&u32::try_from(length).map_err(io::Error::other)?.to_le_bytes());
        self.frame[4..8].copy_from_slice(&sum.to_le_bytes());
        if let Err(error) = self.file.write_all(&self.frame) {
            self.torn = self.file.set_len(self.length).is_err();
            return Err(error);
        }
        self.length += self.frame.len() as u64;
        Ok(())
    }
}

/// A segment's changes with their values, and whether it was whole.
pub(super) fn read(path: &Path, number: u64) -> io::Result<(Vec<(Change<'static>, Bytes)>, bool)> {
    let mut rest = Bytes::from(std::fs::read(name(path, number))?);
    let mut changes = Vec::new();
    while !rest.is_empty() {
        match frame(&mut rest) {
            Some(change) => changes.push(change),
            None => return Ok((changes, false)),
        }
    }
    Ok((changes, true))
}

fn frame(rest: &mut Bytes) -> Option<(Change<'static>, Bytes)> {
    let length = rest.try_get_u32_le().ok()? as usize;
    let sum = rest.try_get_u32_le().ok()?;
    if length > rest.len() {
        return None;
    }
    let mut frame = rest.split_to(length);
    if crc32fast::hash(&frame) != sum {
        return None;
    }
    let change = frame.try_get_u32_le().ok()? as usize;
    if change > frame.len() {
        return None;
    }
    let change = frame.split_to(change);
    Some((serde_json::from_slice(&change).ok()?, frame))
}

/// The numbers of the segments that lie beside the database, in order.
pub(super) fn segments(path: &Path) -> io::Result<Vec<u64>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let first = path.with_extension("journal.");
    let prefix = first.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number: Option<u64> = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes a segment whose changes are in the database.
pub(super) fn remove(path: &Path, number: u64) {
    if let Err(error) = std::fs::remove_file(name(path, number)) {
        tracing::warn!(%error, number, "a journal that is not needed any more cannot be removed");
    }
}

fn name(path: &Path, number: u64) -> PathBuf {
    path.with_extension(format!("journal.{number}"))
}
