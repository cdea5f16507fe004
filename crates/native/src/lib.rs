//! The local host: an HTTP server, every store in one SQLite file, a queue in a table and a clock for the ticks.
//!
//! One process has the file to itself; a second one on the same folder is refused.

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
