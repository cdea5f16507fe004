//! OpenCode Platform on Cloudflare Workers.
//!
//! One Worker with three events (a request, a batch of queue messages, a schedule) and two Durable Object classes: the
//! tenants' [`store::Store`], and the [`owner::Owner`] of an answer that outlives its caller.
//! Each event makes one [`edge::Edge`], the handle that implements the core's ports: the cache on KV; records,
//! counters, logs and blobs on the tenant's [`store::Store`] object; the queue on Cloudflare Queues.
#![cfg(target_family = "wasm")]
#![deny(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod edge;
mod gone;
mod isolate;
mod js;
mod kv;
mod net;
mod owner;
mod pipe;
mod ports;
#[cfg(feature = "probe")]
mod probe;
mod queue;
mod request;
mod schedule;
mod store;
