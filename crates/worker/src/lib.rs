//! OpenCode Platform on Cloudflare Workers.
//!
//! One Worker with three events (a request, a batch of queue messages, a schedule) and one Durable Object class.
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
mod pipe;
mod ports;
#[cfg(feature = "probe")]
mod probe;
mod queue;
mod request;
mod schedule;
mod store;
