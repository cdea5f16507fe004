//! Reads a GGUF file: its metadata, its tensor table and, row by row, its weights.
//!
//! Format: the GGUF specification, versions 2 and 3, little-endian (ggml's `docs/gguf.md`).

mod dequant;
mod metadata;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::Error;
pub(crate) use dequant::Kind;
pub(crate) use metadata::Metadata;

/// `GGUF` as it stands in the file.
const MAGIC: [u8; 4] = *b"GGUF";
/// Where tensor data begins is rounded up to this, unless `general.alignment` says otherwise.
const ALIGNMENT: u64 = 32;
/// More than any model in use has (Llama 3 405B has about 1,140).
const MAX_TENSORS: u64 = 65_536;
/// The format's own limit is 4.
const MAX_DIMENSIONS: u32 = 4;
/// How many bytes of one tensor are in memory in their stored form at a time.
const READ: usize = 4 << 20;

/// An open file whose tables have been read and checked against its size.
pub(crate) struct Gguf {
    pub(crate) metadata: Metadata,
    tensors: HashMap<String, Tensor>,
    file: File,
}

/// One row of the tensor table.
#[derive(Clone, Copy)]
struct Tensor {
    kind: Kind,
    cols: usize,
    rows: usize,
    /// From the beginning of the file.
    start: u64,
}

impl Gguf {
    /// Reads everything but the weights.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|error| Error::Open { path: path.to_owned(), error })?;
        let size = file.metadata().map_err(Error::Read)?.len();
        let mut source = Source { reader: BufReader::new(&file), left: size };
        if source.array()? != MAGIC {
            return Err(Error::model("the file does not begin with GGUF"));
        }
        let version = source.u32()?;
        if !(2..=3).contains(&version) {
            return Err(Error::model(format!("GGUF version {version} is not supported (2 and 3 are)")));
        }
        let count = source.u64()?;
        if count > MAX_TENSORS {
            return Err(Error::model(format!("the file claims to hold {count} tensors")));
        }
        let pairs = source.u64()?;
        let metadata = Metadata::read(&mut source, pairs)?;
        let table = (0..count).map(|_| tensor(&mut source)).collect::<Result<Vec<_>, Error>>()?;

        let alignment = metadata.uint("general.alignment").map_or(ALIGNMENT, |n| n as u64).max(1);
        let data = (size - source.left).next_multiple_of(alignment);
        let mut tensors = HashMap::with_capacity(table.len());
        for (name, mut tensor) in table {
            tensor.start = tensor.start.saturating_add(data);
            let end = tensor.bytes().and_then(|bytes| tensor.start.checked_add(bytes));
            if end.is_none_or(|end| end > size) {
                return Err(Error::model(format!("the file ends within {name}: it is truncated")));
            }
            tensors.insert(name, tensor);
        }
        Ok(Self { metadata, tensors, file })
    }

    /// Rows and columns of a tensor, if the file has it. A vector has one row.
    pub(crate) fn shape(&self, name: &str) -> Option<(usize, usize)> {
        self.tensors.get(name).map(|tensor| (tensor.rows, tensor.cols))
    }

    /// A vector of exactly `len` numbers; `None` if the file has no tensor of that name.
    pub(crate) fn vector(&self, name: &str, len: usize) -> Result<Option<Vec<f32>>, Error> {
        if !self.tensors.contains_key(name) {
            return Ok(None);
        }
        let mut vector = Vec::with_capacity(len);
        self.rows(name, (1, len), |kind, bytes| {
            vector.resize(len, 0.0);
            kind.dequantise(bytes, &mut vector);
        })?;
        Ok(Some(vector))
    }

    /// Hands the stored bytes of whole rows to `take`, some rows at a time, in order.
    pub(crate) fn rows(
        &self,
        name: &str,
        (rows, cols): (usize, usize),
        mut take: impl FnMut(Kind, &[u8]),
    ) -> Result<(), Error> {
        let missing = || Error::model(format!("the file has no tensor {name}"));
        let tensor = self.tensors.get(name).ok_or_else(missing)?;
        if (tensor.rows, tensor.cols) != (rows, cols) {
            return Err(Error::model(format!(
                "{name} is {} x {} instead of {rows} x {cols}",
                tensor.rows, tensor.cols
            )));
        }
        let row = tensor.kind.bytes(cols).ok_or_else(missing)?;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(tensor.start)).map_err(Error::Read)?;
        let at_once = (READ / row.max(1)).clamp(1, rows.max(1));
        let mut buffer = vec![0; at_once * row];
        let mut left = rows;
        while left > 0 {
            let now = at_once.min(left);
            buffer.truncate(now * row);
            file.read_exact(&mut buffer).map_err(Error::Read)?;
            take(tensor.kind, &buffer);
            left -= now;
        }
        Ok(())
    }
}

impl Tensor {
    fn bytes(&self) -> Option<u64> {
        (self.kind.bytes(self.cols)? as u64).checked_mul(self.rows as u64)
    }
}

fn tensor(source: &mut Source<impl Read>) -> Result<(String, Tensor), Error> {
    let name = source.string()?;
    let dimensions = source.u32()?;
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        return Err(Error::model(format!("{name} has {dimensions} dimensions")));
    }
    let too_large = || Error::model(format!("{name} is too large"));
    let size = |source: &mut Source<_>| usize::try_from(source.u64()?).map_err(|_| too_large());
    let cols = size(source)?;
    let mut rows = 1_usize;
    for _ in 1..dimensions {
        rows = rows.checked_mul(size(source)?).ok_or_else(too_large)?;
    }
    let kind = source.u32()?;
    let kind = Kind::of(kind).ok_or_else(|| {
        Error::model(format!(
            "{name} is stored as ggml type {kind}, which is not supported ({})",
            Kind::NAMES
        ))
    })?;
    if kind.bytes(cols).is_none() {
        return Err(Error::model(format!("{name} has rows of {cols}, which its type cannot hold")));
    }
    Ok((name, Tensor { kind, cols, rows, start: source.u64()? }))
}

/// The head of the file. Every length is checked against what is left of the file before it is believed.
struct Source<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Source<R> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.spend(N as u64)?;
        self.reader.read_exact(&mut bytes).map_err(Error::Read)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    fn string(&mut self) -> Result<String, Error> {
        let len = self.u64()?;
        self.spend(len)?;
        let mut bytes = vec![0; len as usize];
        self.reader.read_exact(&mut bytes).map_err(Error::Read)?;
        String::from_utf8(bytes).map_err(|_| Error::model("a name or a text in the file is not UTF-8"))
    }

    /// How many values of at least `each` bytes may still come.
    fn room(&self, each: u64) -> u64 {
        self.left / each
    }

    fn spend(&mut self, bytes: u64) -> Result<(), Error> {
        let short = || Error::model("the file ends within its head: it is truncated or not a GGUF file");
        self.left = self.left.checked_sub(bytes).ok_or_else(short)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
