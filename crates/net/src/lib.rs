//! What the native host and the Lambda host need identically: the HTTP client ([`Client`]) and the task that owns
//! an answer ([`answer`]).

pub mod answer;
mod client;

pub use client::{Body, Client};
