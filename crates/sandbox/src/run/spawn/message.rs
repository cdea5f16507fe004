//! What a fork says to the process that made it: eight bytes at a time, over a pipe that the program never has.

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The main process ended, with the status that `waitpid` gives.
    Ended(i32),
    /// Every barrier is up, and the program is about to start.
    Ready,
    /// A barrier could not be raised, with the error's number.
    Failed(Stage, i32),
    /// What a probe found.
    Probed(i32),
}

/// What is done before a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Namespaces = 1,
    Leader,
    Descriptors,
    Folder,
    Limits,
    User,
    Landlock,
    Seccomp,
    Exec,
}

const STAGES: [(Stage, &str); 9] = [
    (Stage::Namespaces, "to enter its namespaces"),
    (Stage::Leader, "to start the process that leads it"),
    (Stage::Descriptors, "to connect its pipes"),
    (Stage::Folder, "to enter its folder"),
    (Stage::Limits, "to set its resource limits"),
    (Stage::User, "to become another user"),
    (Stage::Landlock, "to restrict itself with Landlock"),
    (Stage::Seccomp, "to install its filter of system calls"),
    (Stage::Exec, "to start the interpreter"),
];

/// Bytes of a message.
pub const SIZE: usize = 8;

impl Stage {
    /// For a sentence that begins with "failed".
    pub fn text(self) -> &'static str {
        STAGES.iter().find(|(stage, _)| *stage == self).map_or("", |(_, text)| text)
    }
}

impl Message {
    /// Does not allocate: a fork asks it.
    pub fn encode(self) -> [u8; SIZE] {
        let (tag, value) = match self {
            Self::Ended(status) => (0, status),
            Self::Probed(found) => (100, found),
            Self::Ready => (101, 0),
            Self::Failed(stage, errno) => (stage as u32, errno),
        };
        let ([a, b, c, d], [e, f, g, h]) = (tag.to_ne_bytes(), value.to_ne_bytes());
        [a, b, c, d, e, f, g, h]
    }

    /// `None` where the bytes are no message.
    pub fn decode([a, b, c, d, e, f, g, h]: [u8; SIZE]) -> Option<Self> {
        let value = i32::from_ne_bytes([e, f, g, h]);
        match u32::from_ne_bytes([a, b, c, d]) {
            0 => Some(Self::Ended(value)),
            100 => Some(Self::Probed(value)),
            101 => Some(Self::Ready),
            tag => {
                let (stage, _) = STAGES.iter().find(|(stage, _)| *stage as u32 == tag)?;
                Some(Self::Failed(*stage, value))
            }
        }
    }
}
