//! The local server.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::setup::Setup;
use crate::child::{Child, free_port};
use crate::tools;

/// A running local server.
pub struct Native {
    /// Where it listens.
    pub url: String,
    port: u16,
    folder: PathBuf,
    setup: Setup,
    child: Option<Child>,
}

impl Native {
    /// Starts it on data in `folder`.
    pub async fn start(setup: &Setup, folder: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(folder.join("data")).map_err(|error| error.to_string())?;
        std::fs::write(folder.join("config.toml"), &setup.config).map_err(|error| error.to_string())?;
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut native = Self { url, port, folder: folder.to_owned(), setup: setup.clone(), child: None };
        native.up().await?;
        Ok(native)
    }

    /// Kills it and starts it again on the same data.
    pub async fn restart(&mut self) -> Result<(), String> {
        if let Some(child) = self.child.take() {
            child.kill().await;
        }
        self.up().await
    }

    /// Replaces its configuration file.
    pub fn write_settings(&self, text: &str) -> Result<(), String> {
        let draft = self.folder.join("draft.toml");
        std::fs::write(&draft, text)
            .and_then(|()| std::fs::rename(&draft, self.folder.join("config.toml")))
            .map_err(|error| error.to_string())
    }

    async fn up(&mut self) -> Result<(), String> {
        let mut command = Command::new(tools::path(tools::NATIVE_BIN)?);
        command.arg("serve").args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        command
            .arg("--data")
            .arg(self.folder.join("data"))
            .arg("--config")
            .arg(self.folder.join("config.toml"));
        command.args(["--tick-ms", "1000"]).envs(self.setup.secrets()).current_dir(&self.folder);
        let mut child = Child::spawn(&mut command, &self.folder.join("native.log"))?;
        child.listens(self.port).await?;
        self.child = Some(child);
        Ok(())
    }
}
