//! The barriers of a run, made ready before a process is forked, so that the fork only has to raise them.

pub mod landlock;
pub mod limits;
pub mod namespaces;
pub mod seccomp;

use std::os::fd::OwnedFd;
use std::path::Path;

use seccompiler::BpfProgram;

use self::landlock::{Place, Right};
use self::namespaces::{Namespaces, Shared};

/// What stands between a program and everything else.
pub enum Barriers {
    /// Everything that Linux has.
    Full(Full),
    /// What Lambda leaves.
    Lambda,
}

/// The full profile.
pub struct Full {
    /// The version of Landlock.
    pub landlock: u32,
    /// What may be read.
    pub places: Vec<Place>,
    /// The filters of system calls.
    pub filters: [BpfProgram; 2],
    /// The namespaces.
    pub namespaces: Namespaces,
    /// Those of them that all runs share.
    pub shared: Option<Shared>,
    /// The user that the run becomes.
    pub identity: Option<u32>,
    /// The lines of `uid_map` and `gid_map`, where there is a user namespace: oneself and nobody else.
    pub maps: [Vec<u8>; 2],
}

impl Barriers {
    /// The full profile, where it was made.
    pub fn full(&self) -> Option<&Full> {
        match self {
            Self::Full(full) => Some(full),
            Self::Lambda => None,
        }
    }
}

impl Full {
    /// The rules for a run that may do as it likes in `folder`.
    pub fn ruleset(&self, folder: &Path) -> std::io::Result<OwnedFd> {
        let own = Place::open(folder, Right::Own).ok_or(std::io::ErrorKind::NotFound)?;
        landlock::ruleset(self.landlock, self.places.iter().chain([&own])).map_err(std::io::Error::other)
    }
}
