//! Code execution. [`run`] runs one program behind every barrier that this machine has, and leaves nothing of it;
//! [`serve`] takes executions as an AWS Lambda function does, on Lambda and on this machine.
//!
//! The order is the point: write the files, start, watch, *kill, confirm dead, collect, wipe, answer, next*.

pub mod run;
pub mod serve;
