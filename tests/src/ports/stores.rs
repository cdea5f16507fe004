//! The stores that need a server: DynamoDB Local, and the Worker under `wrangler dev`.

use std::path::Path;
use std::sync::Arc;

use opencode_core::op::{Op, Played};
use opencode_lambda::aws::Aws;
use opencode_lambda::handle::Handle;
use opencode_net::answer::Gone;

use super::player::{Local, Player, Remote};
use crate::hosts::setup::SECRET;
use crate::hosts::wrangler::Wrangler;
use crate::tools;

/// DynamoDB; each operation is another request's, so that nothing is answered from memory.
pub struct Dynamo(pub Arc<Aws>);

impl Player for Dynamo {
    async fn play(&self, op: Op) -> Played {
        Local(Handle::new(Arc::clone(&self.0), Gone::never())).play(op).await
    }
}

/// The Worker with its probe.
pub struct Probe {
    remote: Remote,
    _wrangler: Wrangler,
}

impl Probe {
    /// Starts the probe's bundle.
    pub async fn start(folder: &Path) -> Result<Self, String> {
        let bundle = tools::path(tools::WORKER_PROBE_DIR)?;
        let vars = [("OPENCODE_SECRET", SECRET.to_owned())];
        let wrangler = Wrangler::start(&bundle, &folder.join("probe"), &vars).await?;
        Ok(Self { remote: Remote { url: wrangler.url.clone() }, _wrangler: wrangler })
    }
}

impl Player for Probe {
    async fn play(&self, op: Op) -> Played {
        self.remote.play(op).await
    }
}
