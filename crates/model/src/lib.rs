//! A small language model, served in the OpenAI dialect.
//!
//! [`serve`] loads a GGUF file of the Llama or Gemma 3 family and answers `POST /v1/chat/completions` (streaming or
//! not), `GET /v1/models` and `GET /health`; [`tiers`] fetches models that are known to work. Everything runs on the
//! CPU, as fast as the CPU at hand allows: the inner loops are compiled for several kinds and chosen at run time.
//!
//! ```text
//! server       requests, answers and errors in OpenAI's shapes
//! generate     the thread that computes: queue, sampling, stop sequences, whole characters
//! text         tokenizer and chat template
//! transformer  the network, over weights in 8 bits
//! gguf         the file format
//! tiers        the table of models, and their download
//! ```
//!
//! One answer is computed at a time, on all threads; others wait in a queue of bounded length.

mod error;
mod generate;
mod gguf;
mod server;
mod text;
pub mod tiers;
mod transformer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

pub use error::Error;
use generate::Engine;
use gguf::Gguf;

/// What to serve, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The model file.
    pub gguf: PathBuf,
    /// The name that requests give as `model`.
    pub name: String,
    /// Where to listen. The server knows no authentication: this should be a loopback address. Port 0 takes any.
    pub listen: SocketAddr,
    /// Threads that compute; 0: one per CPU.
    pub threads: usize,
    /// The most tokens of a prompt and its answer together; at most what the model was trained for.
    pub context: usize,
    /// How many requests may wait for the one being computed; the next gets 429.
    pub queue: usize,
    /// The temperature of a request that names none, from 0 to 2.
    pub temperature: f32,
    /// The `top_p` of a request that names none, from 0 to 1.
    pub top_p: f32,
}

/// Loads the model, calls `ready` with the address once requests are answered, and serves until the future is
/// dropped. The model's thread ends after that, when it has noticed.
///
/// # Errors
/// If the file is no model that can be served, or the address cannot be listened on.
pub async fn serve(options: Options, ready: impl FnOnce(SocketAddr)) -> Result<(), Error> {
    let Options { gguf, name, listen, threads, context, queue, temperature, top_p } = options;
    let failed = |error| Error::Listen { address: listen, error };
    let (listener, address) = server::bind(listen).await.map_err(failed)?;
    let load = move || Engine::start(Gguf::open(&gguf)?, threads, context, queue);
    let loaded = tokio::task::spawn_blocking(load).await;
    let engine = loaded.map_err(|error| Error::Threads(error.to_string()))??;
    tracing::info!(model = name, context = engine.context(), %address, "the model is ready");
    ready(address);
    let defaults = server::Defaults { temperature, top_p };
    server::run(listener, Arc::new(server::Served { engine, name, defaults, since: server::now() })).await;
    Ok(())
}
