//! How a step fails.

/// Why the command ends without success.
#[derive(Debug)]
pub enum Failure {
    /// A step ran and failed: exit code 1.
    Failed(String),
    /// Something that the step needs is not there, or the command line is wrong: exit code 2.
    Missing(String),
}

/// A step's outcome.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// The sentence to print.
    pub fn why(&self) -> &str {
        match self {
            Self::Failed(why) | Self::Missing(why) => why,
        }
    }
}

/// Adds what was being done to an error.
pub trait Doing<T> {
    /// `doing` completes "cannot …".
    fn doing(self, doing: impl AsRef<str>) -> Result<T>;
}

impl<T, E: std::fmt::Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, doing: impl AsRef<str>) -> Result<T> {
        self.map_err(|error| Failure::Failed(format!("cannot {}: {error}", doing.as_ref())))
    }
}

/// A [`Failure::Failed`].
pub fn failed<T>(why: impl Into<String>) -> Result<T> {
    Err(Failure::Failed(why.into()))
}
