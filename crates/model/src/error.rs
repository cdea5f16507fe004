//! Why a model cannot be served at all. What a request gets wrong is [`crate::server`]'s matter.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why [`crate::serve`] did not start or ended.
#[derive(Debug)]
pub enum Error {
    /// The model file cannot be opened.
    Open {
        /// The file asked for.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Reading the model file failed.
    Read(io::Error),
    /// The file is not a model that can be served; the text says why.
    Model(String),
    /// The address cannot be listened on.
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The threads that compute cannot be started.
    Threads(String),
}

impl Error {
    pub(crate) fn model(why: impl Into<String>) -> Self {
        Self::Model(why.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, error } => {
                write!(f, "the model file {} cannot be opened: {error}", path.display())
            }
            Self::Read(error) => write!(f, "reading the model file failed: {error}"),
            Self::Model(why) => write!(f, "the model cannot be served: {why}"),
            Self::Listen { address, error } => write!(f, "{address} cannot be listened on: {error}"),
            Self::Threads(why) => write!(f, "no threads to compute with: {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { error, .. } | Self::Read(error) | Self::Listen { error, .. } => Some(error),
            Self::Model(_) | Self::Threads(_) => None,
        }
    }
}
