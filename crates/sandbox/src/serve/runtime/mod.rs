//! One environment: asks the Runtime API for an event, runs it, answers, asks for the next.
//!
//! The order is ours: *kill, confirm dead, collect, wipe* is over when the engine returns; then this process looks at
//! itself, answers, and either asks for the next event or ends. It ends, and with it the environment, whenever there is
//! doubt: Lambda and the local stand-in start another one.

mod api;
mod guard;
mod http;
mod laps;
mod start;

pub use api::{Api, Invocation, MAX_EVENT, Streamed, Taken};
pub use http::Address;
pub use laps::{End, Engine, Rules, serve};
pub use start::{main, names};

/// The header of a question for the next event in which an environment tells the local stand-in what protects its runs.
pub(super) const NOTE: &str = "opencode-isolation";
