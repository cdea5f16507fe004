//! The bytes that each caller gets: `tests/golden/faults/<upstream>/<caller>.txt`, one file for every host.
//!
//! A section is `=== case, case`, then what all those cases answer: status and headers, an empty line, the body as it
//! is, one line break. A carriage return is written `␍`. `UPDATE_GOLDEN=1` writes the files anew: read the difference
//! before committing it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Before the names of a section's cases.
const HEAD: &str = "=== ";
/// What a carriage return is written as: editors and Git change those of a text.
const RETURN: &str = "␍";

/// Every golden file that was looked at.
pub struct Goldens {
    /// Whether what is seen is written down.
    update: bool,
    /// Whether every case runs, so that what is not seen is gone.
    all: bool,
    files: Mutex<BTreeMap<PathBuf, File>>,
}

#[derive(Default)]
struct File {
    /// By the case's name.
    expected: BTreeMap<String, String>,
    /// What this run wrote: another host must say the same.
    written: BTreeMap<String, String>,
}

impl Goldens {
    /// `all`: every case runs.
    pub fn new(all: bool) -> Self {
        let update = std::env::var_os("UPDATE_GOLDEN").is_some();
        Self { update, all, files: Mutex::default() }
    }

    /// Compares what a case answers with what is expected of it, or writes it down.
    pub fn expect(&self, upstream: &str, caller: &str, case: &str, actual: &str) -> Result<(), String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/faults");
        let path = root.join(upstream).join(format!("{caller}.txt"));
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = files.entry(path.clone()).or_insert_with(|| File::read(&path));
        if !self.update {
            let nothing = || format!("no expectation of {case} in {}", path.display());
            return same(file.expected.get(case).ok_or_else(nothing)?, actual);
        }
        if let Some(before) = file.written.get(case) {
            return same(before, actual);
        }
        file.written.insert(case.to_owned(), actual.to_owned());
        let mut sections = if self.all { BTreeMap::new() } else { file.expected.clone() };
        sections.extend(file.written.clone());
        write(&path, &sections).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl File {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        Self { expected: parse(&text), written: BTreeMap::new() }
    }
}

fn parse(text: &str) -> BTreeMap<String, String> {
    let mut cases = BTreeMap::new();
    // The line break that ends the last section stands before no other.
    let text = format!("\n{}", text.strip_suffix('\n').unwrap_or(text));
    for section in text.split(&format!("\n{HEAD}")).skip(1) {
        let (names, said) = section.split_once('\n').unwrap_or((section, ""));
        for name in names.split(", ") {
            cases.insert(name.to_owned(), said.replace(RETURN, "\r"));
        }
    }
    cases
}

fn write(path: &Path, cases: &BTreeMap<String, String>) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    std::fs::write(path, render(cases))
}

/// Cases that answer the same stand in one section, in the order of their first names.
fn render(cases: &BTreeMap<String, String>) -> String {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, said) in cases {
        match sections.iter_mut().find(|(known, _)| known == said) {
            Some((_, names)) => names.push(name),
            None => sections.push((said, vec![name])),
        }
    }
    let section = |(said, names): (&str, Vec<&str>)| {
        format!("{HEAD}{}\n{}\n", names.join(", "), said.replace('\r', RETURN))
    };
    sections.into_iter().map(section).collect()
}

/// Fails with what stands around the first difference.
fn same(expected: &str, actual: &str) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    let at = expected.bytes().zip(actual.bytes()).take_while(|(one, other)| one == other).count();
    let around = |text: &str| {
        let from = text.floor_char_boundary(at.saturating_sub(80));
        let to = text.floor_char_boundary((at + 200).min(text.len()));
        text[from.min(to)..to].to_owned()
    };
    Err(format!(
        "other bytes than expected from byte {at} on\n--- expected\n{:?}\n--- actual\n{:?}\n--- all of it\n{actual}",
        around(expected),
        around(actual)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let cases =
            [("a whole", "200\n\n{}"), ("b", "200\n\ndata: 1\r\n\r\n"), ("c", "200\n\n{}"), ("d", "x\n")];
        let cases: BTreeMap<String, String> =
            cases.map(|(name, said)| (name.to_owned(), said.to_owned())).into();
        let text = render(&cases);
        assert!(text.starts_with("=== a whole, c\n200\n\n{}\n=== b\n"), "{text}");
        assert_eq!(parse(&text), cases);
    }

    #[test]
    fn a_difference_is_shown() {
        assert_eq!(same("é", "é"), Ok(()));
        assert!(same("data: é1", "data: é2 ").unwrap_err().contains("from byte 8 on"));
        assert!(same("data: 1", "data: 1x").is_err());
    }
}
