//! The AWS Lambda host: one binary, two functions.
//!
//! - [`http`]: requests through a streaming Function URL.
//! - [`work`]: SQS batches and the schedule.
//! - [`handle`]: the core's ports, one [`handle::Handle`] a request or message, over what the process shares
//!   ([`aws`]). The stores are one DynamoDB table ([`store`], [`tables`]), the queue is SQS.
//!
//! Nothing here decides anything: it translates between AWS and `opencode_core`.

pub mod aws;
pub mod event;
pub mod handle;
pub mod http;
mod queue;
mod sdk;
pub mod start;
pub mod store;
pub mod tables;
pub mod work;
