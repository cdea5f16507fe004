//! The bootstrap: takes executions from Lambda's Runtime API, or from the local stand-in for Lambda.
//!
//! ```text
//! runtime   one environment: asks for an event, runs it, answers, asks for the next
//! local     Lambda's part on this machine: Invoke, signatures, and a pool of environments
//! ```

pub mod local;
mod outcome;
pub mod runtime;
