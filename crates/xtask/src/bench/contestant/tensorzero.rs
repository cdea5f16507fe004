//! TensorZero's gateway, which its Python package carries. Its observability is off: it would need ClickHouse.

use std::fmt::Write as _;

use super::{Ask, Contestant, Stage};
use crate::bench::question::{Kind, MODEL};
use crate::bench::rivals::Rival;
use crate::bench::running::Running;
use crate::failure::{Doing, Result};
use crate::{process, workspace};

/// Starts it.
pub fn start(stage: &Stage) -> Result<Contestant> {
    let rival = Rival::TensorZero;
    let python = rival.folder()?.join("bin/python");
    let folder = stage.empty(rival.key())?;
    let file = folder.join("tensorzero.toml");
    std::fs::write(&file, config(stage)).doing("write a configuration")?;

    let mut gateway = process::program(python);
    gateway.arg(workspace::root().join("crates/xtask/tools/bench/start_tensorzero.py")).arg(file);
    gateway.env("TENSORZERO_DISABLE_PSEUDONYMOUS_USAGE_ANALYTICS", "1").env("NO_COLOR", "1");
    let mut running = Running::start(&mut gateway, &folder.join("log"))?;
    let address = running.prints(address)?;
    let asks = Kind::ALL.map(|kind| {
        let model = format!("tensorzero::model_name::{}", kind.name());
        Ask::new(&address, "/openai/v1/chat/completions".to_owned(), &model, kind)
    });
    let started = running.answers_question(&asks[Kind::Whole as usize])?;
    Ok(Contestant { asks, process: Some((running, started)), version: rival.version() })
}

fn config(stage: &Stage) -> String {
    let mut text = "[gateway]\nobservability.enabled = false\n".to_owned();
    for kind in Kind::ALL {
        let _ = write!(
            text,
            "\n[models.{name}]\nrouting = [\"upstream\"]\n\n[models.{name}.providers.upstream]\ntype = \"openai\"\n\
             api_base = \"{}/\"\nmodel_name = \"{MODEL}\"\napi_key_location = \"none\"\n",
            stage.base_url(kind),
            name = kind.name()
        );
    }
    text
}

/// It chooses its port and our script prints the URL.
fn address(log: &str) -> Option<String> {
    let line = log.lines().find_map(|line| line.strip_prefix("http://"))?;
    line.split('/').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_address_is_found_among_its_logs() {
        let log = "INFO http\nhttp://127.0.0.1:41/openai/v1\n";
        assert_eq!(super::address(log).as_deref(), Some("127.0.0.1:41"));
    }
}
