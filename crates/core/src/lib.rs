//! The pure core of OpenCode Platform.
//!
//! Bytes come in at an edge, this crate decides what to do next and says so as data, the host does it, and bytes
//! go out. `async` stands only in [`host`], [`serve`], [`work`], `run` and `drive`; time, randomness and
//! configuration are values passed in; nothing here can panic.

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]
// The ports say nothing about Send on purpose: see `host`.
#![allow(async_fn_in_trait)]

pub mod api;
pub mod cache;
pub mod call;
pub mod catalog;
pub mod config;
pub mod drive;
pub mod error;
pub mod host;
pub mod identity;
pub mod isolate;
pub mod ledger;
pub mod modes;
pub mod op;
pub mod resume;
pub mod route;
pub mod run;
pub mod sandbox;
pub mod serve;
pub mod snapshot;
pub mod trace;
pub mod wire;
pub mod work;
