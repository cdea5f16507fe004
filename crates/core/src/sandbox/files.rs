//! Names of files: what may be written below a run's folder.

use super::execution::refuse;
use super::{Encoding, File, bounds};
use crate::error::Error;

/// A path below a run's folder whose parts are ordinary names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'a>(&'a str);

impl<'a> Name<'a> {
    /// `None` where it is empty, absolute, climbs out, has a part that is no ordinary name, or is beyond the bounds.
    pub fn parse(name: &'a str) -> Option<Self> {
        let within = name.len() <= bounds::NAME && name.split('/').count() <= bounds::DEPTH;
        let ordinary = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        (within && ordinary && !name.contains(strange)).then_some(Self(name))
    }

    /// Its parts, the last of which is the file's.
    pub fn parts(&self) -> impl Iterator<Item = &'a str> {
        self.0.split('/')
    }
}

/// Characters that a name must not have: controls, what other systems read as a path, and marks that combine with the
/// letter before them, which make two spellings of one name.
fn strange(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\\' | ':' | '\u{300}'..='\u{36f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first name that cannot stand beside those before it: the same (also in the other case of ASCII letters: the tables
/// of all others would be a hundredth of a Worker), or a folder where a file is. Names are few: each is held against
/// each.
pub fn clash<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut before: Vec<&str> = Vec::new();
    for name in names {
        if before.iter().any(|other| within(name, other) || within(other, name)) {
            return Some(name);
        }
        before.push(name);
    }
    None
}

/// Whether a name is another one, or lies below it.
fn within(name: &str, other: &str) -> bool {
    let (name, other) = (name.as_bytes(), other.as_bytes());
    let begins = name.get(..other.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(other));
    begins && name.get(other.len()).is_none_or(|next| *next == b'/')
}

pub(super) fn check(files: &[File]) -> Result<(), Error> {
    if files.len() > bounds::FILES {
        return Err(refuse(
            "files",
            format!("has {} files; at most {} are taken", files.len(), bounds::FILES),
        ));
    }
    for (index, file) in files.iter().enumerate() {
        if Name::parse(&file.name).is_none() {
            return Err(refuse(
                &format!("files[{index}].name"),
                "must be a path below the run's folder: ordinary names with `/` between them, without `..`, \
                 backslashes, colons, control characters or combining marks",
            ));
        }
    }
    if let Some(name) = clash(files.iter().map(|file| file.name.as_str())) {
        return Err(refuse("files", format!("has `{name}` twice, or as a file and as a folder")));
    }
    let total = files.iter().map(File::size).fold(0_usize, usize::saturating_add);
    if total > bounds::FILES_BYTES {
        return Err(refuse(
            "files",
            format!("have {total} bytes; at most {} are taken", bounds::FILES_BYTES),
        ));
    }
    match files.iter().position(|file| file.bytes().is_none()) {
        Some(index) => Err(refuse(&format!("files[{index}].content"), "is not base64")),
        None => Ok(()),
    }
}

impl File {
    /// Its content; `None` where it is not what its encoding says.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self.encoding {
            Encoding::Utf8 => Some(self.content.clone().into_bytes()),
            Encoding::Base64 => {
                use base64::Engine;
                base64::engine::general_purpose::STANDARD.decode(&self.content).ok()
            }
        }
    }

    fn size(&self) -> usize {
        match self.encoding {
            Encoding::Utf8 => self.content.len(),
            Encoding::Base64 => (self.content.len() / 4).saturating_mul(3),
        }
    }
}
