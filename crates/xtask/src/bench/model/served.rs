//! A model, served by the platform's binary alone.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::contestant::Ask;
use crate::bench::http::{Answer, Connection};
use crate::bench::running::Running;
use crate::failure::Result;
use crate::process;

/// A model that is served.
pub struct Served {
    /// The process.
    pub running: Running,
    name: &'static str,
    address: String,
    /// From its start to its first answer.
    pub loaded: Duration,
}

impl Served {
    /// Starts it and waits until it answers.
    pub fn start(binary: &Path, name: &'static str, file: &Path, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{}.log", name));
        let mut command = process::program(binary);
        command.args(["model", "--name", name, "--gguf"]).arg(file);
        let mut running = Running::start(&mut command, &log)?;
        let address = |line: &str| line.parse::<SocketAddr>().ok();
        let address = running.prints(|text| Some(text.lines().find_map(address)?.to_string()))?;
        let loaded = running.answers(&address, "/health")?;
        Ok(Self { running, name, address, loaded })
    }

    /// Asks over a connection of its own; the time is that from the request to the answer's end.
    pub fn ask(&self, question: &str, most: u64, seed: usize, stream: bool) -> Result<(Answer, Duration)> {
        let body = json!({
            "model": self.name, "messages": [{"role": "user", "content": question}],
            "max_tokens": most, "seed": seed, "temperature": 0.8, "stream": stream,
        });
        let ask = Ask {
            address: self.address.clone(),
            path: "/v1/chat/completions".to_owned(),
            headers: Vec::new(),
            body: body.to_string(),
        };
        let mut connection = Connection::to(&self.address)?;
        let start = Instant::now();
        let answer = connection.ask(&ask, has_content)?;
        Ok((answer, start.elapsed()))
    }
}

/// Whether a stream so far has any of the answer's text: the chunk before it names a role and holds none.
fn has_content(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let mut data = text.split_inclusive("\n\n").filter(|frame| frame.ends_with("\n\n"));
    data.any(|frame| {
        let chunk: Value = serde_json::from_str(frame.trim().trim_start_matches("data:")).unwrap_or_default();
        chunk["choices"][0]["delta"]["content"].as_str().is_some_and(|text| !text.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_a_role() {
        let role = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
        let text = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
        assert!(!has_content(role.as_bytes()));
        assert!(has_content([role, text].concat().as_bytes()));
        assert!(!has_content([role, text.trim_end()].concat().as_bytes()), "a frame that is not whole");
    }
}
