//! Load, by wrk. Written in C, it asks 150,000 times a second on two cores, so that it is not what is measured.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::contestant::Ask;
use crate::failure::{Doing, Failure, Result, failed};
use crate::{process, workspace};

/// What one run of wrk saw.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// Answers, of any status.
    pub requests: f64,
    /// Answers a second.
    pub rate: f64,
    /// Microseconds.
    pub p50: f64,
    /// Microseconds.
    pub p99: f64,
    /// Connections that broke or answers that did not come in time.
    pub broken: f64,
}

/// Whether wrk can be run.
pub fn check() -> Result<()> {
    if process::on_path("wrk") {
        return Ok(());
    }
    Err(Failure::Missing("wrk is needed to make load: sudo apt-get install wrk".into()))
}

/// Asks over `connections` for a while; for ten times as long where nothing was answered, because the slowest still
/// work on what earlier loads left. An answer with a status of 400 or above is an error.
pub fn run(ask: &Ask, connections: usize, time: Duration, folder: &Path) -> Result<Load> {
    let load = once(ask, connections, time, folder)?;
    let load = if load.requests > 0.0 { load } else { once(ask, connections, time * 10, folder)? };
    if load.requests > 0.0 { Ok(load) } else { failed("nothing was answered") }
}

fn once(ask: &Ask, connections: usize, time: Duration, folder: &Path) -> Result<Load> {
    let body = folder.join("question.json");
    std::fs::write(&body, &ask.body).doing("write the question for wrk")?;
    let threads = connections.min(2);
    let mut wrk = process::program("wrk");
    wrk.arg(format!("-t{threads}"))
        .arg(format!("-c{connections}"))
        .arg(format!("-d{}s", time.as_secs().max(1)));
    wrk.args(["--timeout", "10s", "-s"]).arg(script()).arg(ask.url()).arg("--").arg(body);
    for (name, value) in &ask.headers {
        wrk.args([name, value]);
    }
    let output = wrk.stdin(Stdio::null()).output().doing("start wrk")?;
    let Some((load, refused)) = read(&String::from_utf8_lossy(&output.stdout)) else {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return failed(format!("wrk could not ask {}: {why}", ask.url()));
    };
    if refused > 0.0 {
        return failed(format!("{refused} of {} answers were errors", load.requests));
    }
    Ok(load)
}

fn read(printed: &str) -> Option<(Load, f64)> {
    let line = printed.lines().find_map(|line| line.strip_prefix("figures "))?;
    let figures: Value = serde_json::from_str(line).ok()?;
    let figure = |name: &str| figures[name].as_f64();
    let (requests, micros) = (figure("requests")?, figure("micros")?);
    let rate = if micros > 0.0 { requests * 1e6 / micros } else { 0.0 };
    let load = Load { requests, rate, p50: figure("p50")?, p99: figure("p99")?, broken: figure("broken")? };
    Some((load, figure("refused")?))
}

fn script() -> PathBuf {
    workspace::root().join("crates/xtask/tools/bench/post.lua")
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_figures_are_found_among_what_wrk_prints() {
        let printed = "Running 1s test\nfigures {\"requests\":200,\"micros\":2000000,\"p50\":10,\"p99\":20,\
                       \"refused\":3,\"broken\":1}\n";
        let (load, refused) = read(printed).unwrap();
        assert_eq!((load.rate, load.p50, load.broken, refused), (100.0, 10.0, 1.0, 3.0));
        assert!(read("no figures").is_none());
    }
}
