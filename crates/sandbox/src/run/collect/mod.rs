//! What a dead run has left: files, the value of its last expression, plots. All of it is hostile.

mod files;
mod harness;
mod sniff;

use opencode_core::sandbox::{Artifact, Execution, Shown, Skipped};

pub use self::sniff::media;
use super::folder::Folder;
use super::languages::Language;
use super::watch::disk;

/// What was found.
#[derive(Default)]
pub struct Left {
    /// New and changed files, then plots.
    pub artifacts: Vec<Artifact>,
    /// What is not handed back.
    pub skipped: Vec<Skipped>,
    /// Files that were sent and are gone.
    pub removed: Vec<String>,
    /// The value of the last expression.
    pub result: Option<Shown>,
    /// Whether the interpreter says that it found no more memory.
    pub out_of_memory: bool,
    /// What the folder holds.
    pub held: disk::Held,
}

/// Collects. Nothing of the run may live any more: what is found here must not change while it is read.
pub fn collect(folder: &Folder, execution: &Execution, language: Language) -> Left {
    let mut left = Left { held: disk::held(folder.path()), ..Left::default() };
    let mut room = Room { files: execution.limits.artifacts, bytes: execution.limits.artifacts_bytes };
    harness::collect(folder.path(), &mut room, &mut left);
    let plots = std::mem::take(&mut left.artifacts);
    files::collect(&folder.work(), execution, language, &mut room, &mut left);
    left.artifacts.extend(plots);
    left
}

/// How much may still be handed back.
struct Room {
    files: u64,
    bytes: u64,
}

impl Room {
    /// One artifact, with its content where it still fits. `None` where there are too many.
    fn take(&mut self, name: String, file: &mut std::fs::File) -> Result<Artifact, &'static str> {
        use base64::Engine;
        use std::io::Read;
        if self.files == 0 {
            return Err("too_many");
        }
        let size = file.metadata().map_err(|_| "unreadable")?.len();
        let fits = size <= self.bytes;
        let wanted = if fits { size } else { sniff::NEEDED };
        let mut bytes = Vec::new();
        file.take(wanted).read_to_end(&mut bytes).map_err(|_| "unreadable")?;
        self.files -= 1;
        let content = fits.then(|| base64::engine::general_purpose::STANDARD.encode(&bytes));
        if fits {
            self.bytes -= size;
        }
        Ok(Artifact {
            name,
            media: media(&bytes, fits).to_owned(),
            bytes: size,
            content,
            plot: false,
            data: None,
        })
    }
}
