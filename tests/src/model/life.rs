//! How platform and model end, and start again.

use rustix::process::Pid;
use serde_json::json;

use super::running::{Running, kill, until, vanished};
use super::stage::Stage;
use crate::hosts::ctx::{check, same};

pub async fn ctrl_c(stage: &Stage) -> Result<(), String> {
    let mut platform = Running::start(stage, &stage.empty("ctrl-c")?, &[]).await?;
    let children = platform.children();
    platform.ctrl_c();
    platform.ended().await?;
    all_vanished(children).await
}

pub async fn killed(stage: &Stage) -> Result<(), String> {
    let mut platform = Running::start(stage, &stage.empty("killed")?, &[]).await?;
    let children = platform.children();
    platform.kill();
    platform.ended().await?;
    all_vanished(children).await
}

async fn all_vanished(children: Vec<Pid>) -> Result<(), String> {
    check(!children.is_empty(), || "it had no children".to_owned())?;
    for child in children {
        vanished(child).await?;
    }
    Ok(())
}

/// Code runs without any account or key, where the machine has the barriers for it.
pub async fn runs_code(stage: &Stage) -> Result<(), String> {
    let platform = Running::start(stage, &stage.empty("runs-code")?, &[]).await?;
    let body = json!({ "language": "python", "code": "import sys\nprint(6 * 7)\nsys.version_info.major" });
    let mut response = platform.post("/api/v1/sandbox/execute", &body).await?;
    let said = response.json().await?;
    same("status", response.status, 200).map_err(|error| format!("{error}\n{said}\n{}", platform.said()))?;
    same("stdout", said["stdout"].as_str(), Some("42\n"))?;
    same("value", &said["return_value"], &json!(3))?;
    same("profile", said["isolation"]["profile"].as_str(), Some("full"))
}

pub async fn model_killed(stage: &Stage) -> Result<(), String> {
    let platform = Running::start(stage, &stage.empty("model-killed")?, &[]).await?;
    let first = platform.model()?;
    let few = || platform.ask("Say hello.", json!({ "max_tokens": 4 }));
    same("status before", few().await?.status, 200)?;
    kill(first);
    vanished(first).await?;
    let ready = || platform.said().matches("the model is ready").count();
    until("the model was not started again", || ready() == 2).await?;
    check(platform.model()? != first, || "the killed process is still there".to_owned())?;
    same("status after", few().await?.status, 200)
}

pub async fn second_start(stage: &Stage) -> Result<(), String> {
    let folder = stage.empty("second-start")?;
    let mut first = Running::start(stage, &folder, &[]).await?;
    first.ctrl_c();
    first.ended().await?;
    let second = Running::start(stage, &folder, &[]).await?;
    same("the development key", &second.key, &first.key)?;
    check(!second.said().contains("fetching"), || format!("something is fetched again:\n{}", second.said()))?;
    same("status", second.ask("Say hello.", json!({ "max_tokens": 4 })).await?.status, 200)
}
