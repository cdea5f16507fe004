//! Portkey's open gateway on Node. Each request's headers say where it goes.

use super::{Ask, Contestant, Stage};
use crate::bench::http::free_address;
use crate::bench::question::{Kind, MODEL};
use crate::bench::rivals::Rival;
use crate::bench::running::Running;
use crate::failure::Result;
use crate::process;
use crate::tools::{Tool, set_up};

/// Starts it.
pub fn start(stage: &Stage) -> Result<Contestant> {
    let rival = Rival::Portkey;
    let package = rival.folder()?.join("node_modules/@portkey-ai/gateway");
    let folder = stage.empty(rival.key())?;
    let address = free_address()?;
    let port = address.rsplit(':').next().unwrap_or_default();

    let mut gateway = process::program(set_up(&[Tool::Npm])?.node());
    gateway.arg(package.join("build/start-server.js")).arg(format!("--port={port}")).arg("--headless");
    gateway.env("NODE_ENV", "production");
    let mut running = Running::start(&mut gateway, &folder.join("log"))?;
    let started = running.answers(&address, "/")?;
    let asks = Kind::ALL.map(|kind| {
        Ask::new(&address, "/v1/chat/completions".to_owned(), MODEL, kind)
            .header("x-portkey-provider", "openai")
            .header("x-portkey-custom-host", stage.base_url(kind))
            .header("authorization", "Bearer none")
    });
    Ok(Contestant { asks, process: Some((running, started)), version: rival.version() })
}
