//! The local host: an HTTP server, every store in one SQLite file, a queue in a table and a clock for the ticks.
//!
//! Several processes may share the file: SQLite's lock orders their writes, and a queue message that is claimed by
//! one is not seen by the others until its lease ends.

mod cron;
mod local;
mod platform;
mod server;
mod store;
mod worker;

pub use local::Local;
pub use platform::{Options, run};
pub use server::MAX_BODY;
pub use store::Store;
