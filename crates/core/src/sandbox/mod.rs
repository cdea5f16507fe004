//! The execution protocol, version 1: what the gateway asks of a sandbox and what a sandbox answers.
//!
//! A sandbox is reached as AWS Lambda is: `InvokeWithResponseStream` takes an [`Execution`] as JSON and answers
//! [`Line`]s, one JSON object a line, of which the last holds the outcome. `Invoke` takes the same; where the execution
//! says that it wants its answer [whole](Execution::whole), it is one [`Outcome`]; where it has a key, a [`seal`] over all of them follows. What code wrote is hostile and so is everything a sandbox says: the gateway holds it against [`bounds`].

pub mod bounds;
mod execution;
mod files;
mod hear;
pub mod held;
pub mod invoke;
mod outcome;
mod seal;

#[cfg(test)]
mod tests;

pub use self::execution::{Encoding, Execution, File, LANGUAGES, Language, Limits};
pub use self::files::{Name, clash};
pub use self::hear::{Ended, Heard, Hearing, written};
pub use self::outcome::{Artifact, Isolation, Line, Outcome, Profile, Shown, Skipped, Status};

pub use self::seal::{Sealing, seal};

/// The version of the protocol. A sandbox refuses another one.
pub const VERSION: u32 = 1;
