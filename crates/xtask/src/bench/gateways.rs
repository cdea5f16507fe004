//! Every gateway in front of the same upstreams, measured in turns: the machine's moods meet all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::contestant::{Contestant, Entry, Stage};
use super::http::Connection;
use super::question::{self, Kind};
use super::sample::{Sample, median, ms, us};
use super::wrk;
use crate::failure::{Failure, Result, failed};

/// How long and how often is measured.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Each contestant's turns.
    pub rounds: usize,
    /// Of each load.
    pub time: Duration,
    /// Streams whose first token is timed, each round.
    pub streams: usize,
}

/// What was seen of one contestant.
pub struct Row {
    /// In the report.
    pub name: &'static str,
    /// The version that ran.
    pub version: String,
    /// Why there are no figures, or why they stopped.
    pub missing: Option<String>,
    figures: BTreeMap<String, Vec<f64>>,
}

/// A contestant that takes part in the rounds.
struct Running {
    row: usize,
    contestant: Contestant,
}

/// Starts everyone, measures in rounds and ends everyone.
pub fn measure(entries: &[Entry], stage: &Stage, pace: Pace) -> Vec<Row> {
    let mut rows: Vec<Row> = entries.iter().map(Row::new).collect();
    let mut running = Vec::new();
    for (row, entry) in entries.iter().enumerate() {
        println!("starting {}", entry.name);
        match started(entry, stage, pace, &mut rows[row]) {
            Ok(contestant) => running.push(Running { row, contestant }),
            Err(failure) => rows[row].stop(&failure),
        }
    }
    for round in 1..=pace.rounds {
        println!("round {round} of {}", pace.rounds);
        // Everyone is first once in a while.
        let turned = usize::from(round > 1 && !running.is_empty());
        running.rotate_left(turned);
        running.retain(|one| {
            let measured = turn(&one.contestant, &mut rows[one.row], stage, pace);
            measured.map_err(|failure| rows[one.row].stop(&failure)).is_ok()
        });
    }
    for one in &running {
        if let Some((process, _)) = &one.contestant.process {
            rows[one.row].note("memory_bytes", process.peak_memory() as f64);
        }
    }
    rows
}

/// Starts it as often as there are rounds, for the time that takes, and sees that its last start answers well.
fn started(entry: &Entry, stage: &Stage, pace: Pace, row: &mut Row) -> Result<Contestant> {
    let mut contestant = None;
    for _ in 0..pace.rounds {
        // The one before ends first: it holds the folder.
        drop(contestant.take());
        let fresh = (entry.start)(stage)?;
        if let Some((_, time)) = &fresh.process {
            row.note("start_ms", ms(*time));
        }
        contestant = Some(fresh);
    }
    let Some(contestant) = contestant else { return failed("it was never started") };
    row.version.clone_from(&contestant.version);
    for kind in Kind::ALL {
        check(&contestant, kind)?;
    }
    Ok(contestant)
}

/// An answer that is fast and wrong does not count.
fn check(contestant: &Contestant, kind: Kind) -> Result<()> {
    let ask = contestant.ask(kind);
    let answer = Connection::to(&ask.address)?.ask(ask, |_| false)?;
    let text = match kind {
        Kind::Whole => {
            let answer: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            answer["choices"][0]["message"]["content"].as_str().map(str::to_owned)
        }
        Kind::Streamed | Kind::Paced => question::text_of(&answer.body),
    };
    if text == Some(question::text()) {
        return Ok(());
    }
    failed(format!("its {} answer is not the upstream's: {:.200}", kind.name(), answer.body))
}

fn turn(contestant: &Contestant, row: &mut Row, stage: &Stage, pace: Pace) -> Result<()> {
    for kind in [Kind::Whole, Kind::Streamed] {
        let ask = contestant.ask(kind);
        let name = kind.name();
        wrk::run(ask, 16, Duration::from_secs(1), &stage.folder)?;
        for connections in [1, 16, 64] {
            let before = contestant.process.as_ref().map(|(process, _)| process.processor_time());
            let load = wrk::run(ask, connections, pace.time, &stage.folder)?;
            row.note(&format!("{name}_p50_us_{connections}"), load.p50);
            row.note(&format!("{name}_p99_us_{connections}"), load.p99);
            row.note(&format!("{name}_per_second_{connections}"), load.rate);
            row.note(&format!("{name}_broken_{connections}"), load.broken);
            if let (Some(before), Some((process, _))) = (before, &contestant.process) {
                let spent = process.processor_time().saturating_sub(before);
                row.note(&format!("{name}_cpu_us_{connections}"), us(spent) / load.requests);
            }
        }
    }
    let tokens = first_tokens(contestant, pace.streams)?;
    row.note("first_token_p50_us", us(tokens.median()));
    row.note("first_token_p99_us", us(tokens.at(99)));
    Ok(())
}

/// From the question to the first token, one stream after the other on one connection.
fn first_tokens(contestant: &Contestant, times: usize) -> Result<Sample> {
    let ask = contestant.ask(Kind::Paced);
    let token = question::first_token().as_bytes();
    let mut connection = Connection::to(&ask.address)?;
    Sample::take(times, || {
        let answer = connection.ask(ask, |body| body.windows(token.len()).any(|at| at == token))?;
        answer.seen.ok_or_else(|| Failure::Failed("a stream had no first token".into()))
    })
}

impl Row {
    fn new(entry: &Entry) -> Self {
        Self { name: entry.name, version: String::new(), missing: None, figures: BTreeMap::new() }
    }

    fn note(&mut self, figure: &str, value: f64) {
        self.figures.entry(figure.to_owned()).or_default().push(value);
    }

    fn stop(&mut self, failure: &Failure) {
        println!("{}: {}", self.name, failure.why());
        self.missing = Some(failure.why().to_owned());
    }

    /// The median over the rounds.
    pub fn median(&self, figure: &str) -> Option<f64> {
        median(self.figures.get(figure)?.clone())
    }

    /// For the report: each figure's median and what every round saw.
    pub fn json(&self) -> Value {
        let figures: serde_json::Map<String, Value> = self
            .figures
            .iter()
            .map(|(name, rounds)| (name.clone(), json!({"median": median(rounds.clone()), "rounds": rounds})))
            .collect();
        json!({"name": self.name, "version": self.version, "missing": self.missing, "figures": figures})
    }

    #[cfg(test)]
    pub fn of(name: &'static str, figures: &[(&str, f64)]) -> Self {
        let figures = figures.iter().map(|(name, value)| ((*name).to_owned(), vec![*value])).collect();
        Self { name, version: String::new(), missing: None, figures }
    }
}
