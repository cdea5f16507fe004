//! LiteLLM's proxy: one worker, as it starts by default.

use std::fmt::Write as _;

use super::{Ask, Contestant, Stage};
use crate::bench::http::free_address;
use crate::bench::question::{Kind, MODEL};
use crate::bench::rivals::Rival;
use crate::bench::running::Running;
use crate::failure::{Doing, Result};
use crate::process;

/// It refuses to start without one, and a weak one.
const MASTER_KEY: &str = "sk-bench-4f9d1c7ab2e8465390fd6b1e7c28a3d5";

/// Starts it.
pub fn start(stage: &Stage) -> Result<Contestant> {
    let rival = Rival::LiteLlm;
    let python = rival.folder()?.join("bin");
    let folder = stage.empty(rival.key())?;
    let file = folder.join("config.yaml");
    std::fs::write(&file, config(stage)).doing("write a configuration")?;
    let address = free_address()?;
    let port = address.rsplit(':').next().unwrap_or_default();

    let mut gateway = process::program(python.join("litellm"));
    gateway.arg("--config").arg(file).args(["--host", "127.0.0.1", "--port", port, "--telemetry", "False"]);
    // Without it the prices of models are fetched from the network.
    gateway.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("LITELLM_LOG", "ERROR");
    let mut running = Running::start(&mut gateway, &folder.join("log"))?;
    let started = running.answers(&address, "/health/liveliness")?;
    let asks = Kind::ALL.map(|kind| {
        Ask::new(&address, "/v1/chat/completions".to_owned(), kind.name(), kind)
            .header("authorization", format!("Bearer {MASTER_KEY}"))
    });
    Ok(Contestant { asks, process: Some((running, started)), version: rival.version() })
}

fn config(stage: &Stage) -> String {
    let mut text = "model_list:\n".to_owned();
    for kind in Kind::ALL {
        let _ = write!(
            text,
            "  - model_name: {}\n    litellm_params:\n      model: openai/{MODEL}\n      api_base: {}\n      api_key: none\n",
            kind.name(),
            stage.base_url(kind)
        );
    }
    let _ = writeln!(text, "general_settings:\n  master_key: {MASTER_KEY}");
    text
}
