//! The `bootstrap` binary of both functions; `OPENCODE_FUNCTION` says which one it is.

use std::process::ExitCode;

use opencode_lambda::start::{Function, Start};
use opencode_lambda::{http, work};

// One thread: a process answers one event at a time, and what it does is waiting.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(tracing_subscriber::EnvFilter::new(
            std::env::var("OPENCODE_LOG").unwrap_or_else(|_| "info".to_owned()),
        ))
        .with_writer(std::io::stderr)
        .init();
    let start = match Start::from_env(|name| std::env::var(name).ok()) {
        Ok(start) => start,
        Err(error) => return fail(&error),
    };
    let ended = match start.function {
        Function::Http => http::run(start).await,
        Function::Work => work::run(start).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(error: &str) -> ExitCode {
    tracing::error!("{error}");
    ExitCode::FAILURE
}
