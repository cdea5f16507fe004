//! How large an artefact is.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::failure::{Doing, Result};

/// The largest Worker, gzipped, in bytes.
pub const WASM_BOUND: u64 = 650_000;
/// The largest Lambda binary, in bytes.
pub const LAMBDA_BOUND: u64 = 20_000_000;

/// A file's size in bytes.
pub fn plain(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file).doing(format!("measure {}", name(file)))?.len())
}

/// A file's size in bytes after gzip at its usual level.
pub fn gzipped(file: &Path) -> Result<u64> {
    let bytes = fs::read(file).doing(format!("read {}", name(file)))?;
    let mut encoder = GzEncoder::new(Counter(0), Compression::default());
    encoder.write_all(&bytes).doing(format!("compress {}", name(file)))?;
    Ok(encoder.finish().doing(format!("compress {}", name(file)))?.0)
}

fn name(file: &Path) -> std::borrow::Cow<'_, str> {
    file.file_name().unwrap_or_default().to_string_lossy()
}

struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
