//! What proves OpenCode Platform, from the outside in.
//!
//! - [`wall`]: an upstream on loopback whose model name picks the fault.
//! - [`sim`]: seeded calls over providers that lie, on virtual time.
//! - [`hosts`]: one black-box suite over HTTP, run against every host.
//! - [`ports`]: the store ports of every host against one model in memory.
//! - [`faults`]: every fault of an upstream, in every dialect, on every host.
//! - [`config`]: the configuration while the platform runs, on every host.
//! - [`model`]: the release binary in an empty folder, with the real model that it serves itself.
//! - [`clients`]: the official SDKs, unmodified, against every host.
//! - [`contract`]: what `/openapi.json` promises, held against a running host by schemathesis.
//! - [`sandbox`]: hostile code, under every barrier, under Lambda's, and under none.
//! - [`golden`]: dialects as we wrote them down, [`captures`]: as providers were recorded.
//! - [`fuzz`]: what fuzzing found, replayed, and the bounds of what comes from outside.
//! - [`tidy`]: the house's invariants as tests.
//! - [`runtime_api`]: AWS Lambda's Runtime API, which stops the process when the response ends.
//! - [`h1`], [`client`], [`sse`], [`sqs`], [`child`], [`tools`], [`suite`]: what the suites are made of.

pub mod captures;
pub mod child;
pub mod client;
pub mod clients;
pub mod config;
pub mod contract;
pub mod faults;
pub mod fuzz;
pub mod golden;
pub mod h1;
pub mod hosts;
pub mod model;
pub mod ports;
pub mod runtime_api;
pub mod sandbox;
pub mod sim;
pub mod sqs;
pub mod sse;
pub mod suite;
pub mod tidy;
pub mod tools;
pub mod wall;
