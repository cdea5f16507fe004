//! What the model answers through the platform.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::running::Running;
use super::stage::ended;
use crate::client::Request;
use crate::hosts::ctx::{check, same};
use crate::sse::Chat;
use crate::{sse, tools};

const CAPITAL: &str = "The capital of France is";

pub async fn what_is_printed_works(platform: &Running) -> Result<(), String> {
    let health = Request::get(format!("{}/health", platform.url)).send().await?;
    same("status of /health", health.status, 200)?;
    let key = std::fs::metadata(platform.folder.join(".opencode/dev-key"));
    let mode = key.map_err(|error| error.to_string())?.permissions().mode();
    same("mode of the key's file", mode & 0o777, 0o600)?;
    check(!platform.said().contains(&platform.key), || "the key itself is printed".to_owned())?;

    let mut pasted = Command::new("sh");
    let output = ended(pasted.args(["-c", &platform.curl]).current_dir(&platform.folder)).await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().rfind(|line| !line.is_empty()).unwrap_or_default();
    same("the last line that curl prints", last, "data: [DONE]")?;
    let chat = read(&text);
    check(chat.complete() && !chat.text.trim().is_empty(), || format!("{chat:?}"))
}

pub async fn whole(platform: &Running) -> Result<(), String> {
    let answer = platform.answer(CAPITAL, json!({ "temperature": 0, "max_tokens": 24 })).await?;
    check(text(&answer).contains("Paris"), || format!("no Paris in {:?}", text(&answer)))?;
    adds_up(&answer["usage"])
}

pub async fn streamed(platform: &Running) -> Result<(), String> {
    let members = json!({ "temperature": 0, "max_tokens": 24 });
    let whole = platform.answer(CAPITAL, members.clone()).await?;
    let mut streaming = members;
    streaming["stream"] = json!(true);
    streaming["stream_options"] = json!({ "include_usage": true });
    let chat = platform.ask(CAPITAL, streaming).await?.chat().await?;
    check(chat.complete(), || format!("{chat:?}"))?;
    same("the streamed text", chat.text.as_str(), text(&whole))?;
    let usage = chat.usage.ok_or("no usage in the stream")?;
    adds_up(&usage)?;
    same("completion_tokens", &usage["completion_tokens"], &whole["usage"]["completion_tokens"])
}

pub async fn a_seed_repeats_itself(platform: &Running) -> Result<(), String> {
    let mut texts = Vec::new();
    for seed in [7, 7, 8] {
        let members = json!({ "seed": seed, "temperature": 1.5, "max_tokens": 24 });
        texts.push(text(&platform.answer("Tell me a story.", members).await?).to_owned());
    }
    same("two answers with one seed", &texts[0], &texts[1])?;
    check(texts[0] != texts[2], || format!("two seeds, one answer: {:?}", texts[0]))
}

pub async fn max_tokens_ends_it(platform: &Running) -> Result<(), String> {
    for name in ["max_tokens", "max_completion_tokens"] {
        let answer = platform.answer("Tell me a story.", json!({ "temperature": 0, name: 5 })).await?;
        same("finish_reason", answer["choices"][0]["finish_reason"].as_str(), Some("length"))?;
        same("completion_tokens", answer["usage"]["completion_tokens"].as_u64(), Some(5))?;
    }
    Ok(())
}

pub async fn stop_ends_it(platform: &Running) -> Result<(), String> {
    let whole = platform.answer(CAPITAL, json!({ "temperature": 0, "max_tokens": 24 })).await?;
    let (before, _) = text(&whole).split_once("Paris").ok_or("no Paris to stop at")?;
    let members = json!({ "temperature": 0, "max_tokens": 24, "stop": ["Paris"] });
    let stopped = platform.answer(CAPITAL, members).await?;
    same("the text", text(&stopped), before)?;
    same("finish_reason", stopped["choices"][0]["finish_reason"].as_str(), Some("stop"))
}

pub async fn the_official_sdk(platform: &Running) -> Result<(), String> {
    let job = json!({
        "id": 1, "op": "chat", "sdk": "openai-python", "stream": true,
        "url": format!("{}/v1", platform.url), "key": platform.key,
        "params": {
            "model": "auto", "temperature": 0, "max_tokens": 24,
            "messages": [{ "role": "user", "content": CAPITAL }],
            "stream_options": { "include_usage": true },
        },
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/openai_jobs.py");
    let mut sdk = Command::new(tools::path(tools::CLIENTS_PYTHON)?);
    sdk.arg(script).env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true);
    sdk.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = sdk.spawn().map_err(|error| error.to_string())?;
    let mut input = process.stdin.take().ok_or("no standard input")?;
    input.write_all(format!("{job}\n").as_bytes()).await.map_err(|error| error.to_string())?;
    drop(input);
    let output = process.wait_with_output().await.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("{error}: {said}"))?;
    let outcome = &answer["outcome"];
    check(outcome["error"].is_null(), || outcome.to_string())?;
    let text = outcome["texts"][0].as_str().unwrap_or_default();
    check(text.contains("Paris"), || format!("no Paris in {outcome}"))?;
    let usage = &outcome["usage"];
    let count = |name: &str| usage[name].as_u64().unwrap_or_default();
    check(count("prompt") > 0 && count("prompt") + count("completion") == count("total"), || {
        usage.to_string()
    })
}

pub async fn the_platforms_chat(platform: &Running) -> Result<(), String> {
    for mode in ["chat", "thinking"] {
        let body = json!({ "query": "Say hello.", "mode": mode, "temperature": 0, "max_tokens": 12 });
        let mut response = platform.post("/api/v1/chat", &body).await?;
        let status = response.status;
        let answer = response.json().await?;
        check(status == 200, || format!("{mode}: {status}: {answer}"))?;
        same("mode", answer["mode"].as_str(), Some(mode))?;
        let result = answer["result"].as_str().unwrap_or_default();
        check(!result.trim().is_empty(), || format!("{mode}: {answer}"))?;
        check(answer["tokens_used"].as_u64() > Some(0), || format!("{mode}: {answer}"))?;
    }
    Ok(())
}

pub async fn what_it_cannot_do(platform: &Running) -> Result<(), String> {
    let tool = json!([{ "type": "function", "function": { "name": "weather", "parameters": {} } }]);
    for stream in [false, true] {
        let mut response = platform.ask("Weather?", json!({ "tools": tool, "stream": stream })).await?;
        let status = response.status;
        let trace = response.header("x-opencode-trace").is_some();
        let error = response.json().await?["error"].take();
        same("status", status, 400)?;
        check(trace, || "no trace id".to_owned())?;
        same("param", error["param"].as_str(), Some("tools"))?;
        let message = error["message"].as_str().unwrap_or_default();
        check(message.contains("does not support tools"), || error.to_string())?;
    }
    Ok(())
}

pub async fn several_at_once(platform: &Running) -> Result<(), String> {
    let ask = || platform.answer(CAPITAL, json!({ "temperature": 0, "max_tokens": 12 }));
    let all = futures::future::try_join_all((0..4).map(|_| ask())).await?;
    let first = text(&all[0]);
    check(all.iter().all(|answer| text(answer) == first), || format!("{all:?}"))
}

fn text(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap_or_default()
}

fn read(stream: &str) -> Chat {
    let mut buffer = stream.to_owned();
    let mut events = Vec::new();
    while let Some(frame) = sse::cut(&mut buffer) {
        events.extend(sse::parse(&frame));
    }
    Chat::read(&events)
}

fn adds_up(usage: &Value) -> Result<(), String> {
    let count = |name: &str| usage[name].as_u64().unwrap_or_default();
    let (prompt, completion) = (count("prompt_tokens"), count("completion_tokens"));
    check(prompt > 0 && completion > 0 && prompt + completion == count("total_tokens"), || usage.to_string())
}
