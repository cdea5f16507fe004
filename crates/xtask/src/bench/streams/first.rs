//! How much later the first token comes through us than directly, for each upstream's and caller's dialect.

use std::time::Duration;

use serde_json::{Value, json};

use super::dialect::{Dialect, mark};
use super::load::Wanted;
use super::source::Pace;
use super::{Stage, direct, through};
use crate::bench::bounds::{self, Bound};
use crate::bench::http::Connection;
use crate::bench::sample::{median, us};
use crate::failure::{Failure, Result};

const PACE: Pace = Pace { tokens: 3, gap: Duration::from_millis(1) };

/// One way to the upstream, over a connection of its own.
struct Way {
    upstream: Dialect,
    /// `None` for the direct way.
    caller: Option<Dialect>,
    wanted: Wanted,
    connection: Connection,
    times: Vec<f64>,
}

/// One stream at a time, all ways in turns: the machine's moods meet all of them.
pub fn measure(stage: &Stage) -> Result<(Value, Vec<Bound>)> {
    let served = stage.serve("first-token", PACE)?;
    let mut ways = Vec::new();
    for upstream in Dialect::ALL {
        ways.push(Way::new(upstream, None, direct(&stage.source, upstream, PACE))?);
        for caller in Dialect::ALL {
            ways.push(Way::new(upstream, Some(caller), through(&served, upstream, caller, PACE))?);
        }
    }
    let rounds = if stage.quick { 20 } else { 300 };
    println!("first token: {} ways, {rounds} times each", ways.len());
    for _ in 0..rounds {
        for way in &mut ways {
            way.ask()?;
        }
    }
    Ok(told(&ways))
}

fn told(ways: &[Way]) -> (Value, Vec<Bound>) {
    let p50 = |upstream, caller| {
        let way = ways.iter().find(|way| way.upstream == upstream && way.caller == caller);
        way.and_then(|way| median(way.times.clone()))
    };
    let (mut report, mut slowest) = (json!({}), None::<f64>);
    println!("\n**first token, p50** (µs directly, and what each caller's dialect adds through us)\n");
    println!("| upstream | direct | {} |", Dialect::ALL.map(|to| format!("to {}", to.name())).join(" | "));
    println!("|---|{}", "--:|".repeat(5));
    for upstream in Dialect::ALL {
        let directly = p50(upstream, None).unwrap_or_default();
        report[upstream.name()]["direct_us"] = json!(directly);
        let mut cells = vec![format!("{directly:.0}")];
        for caller in Dialect::ALL {
            let added = p50(upstream, Some(caller)).unwrap_or_default() - directly;
            report[upstream.name()][caller.name()] = json!(added);
            cells.push(format!("{added:.0}"));
            slowest = Some(slowest.map_or(added, |slowest| slowest.max(added)));
        }
        println!("| {} | {} |", upstream.name(), cells.join(" | "));
    }
    (report, vec![bounds::of_first_token(slowest)])
}

impl Way {
    fn new(upstream: Dialect, caller: Option<Dialect>, wanted: Wanted) -> Result<Self> {
        let connection = Connection::to(&wanted.ask.address)?;
        let mut way = Self { upstream, caller, wanted, connection, times: Vec::new() };
        // The first answer opens connections.
        way.ask()?;
        way.times.clear();
        Ok(way)
    }

    fn ask(&mut self) -> Result<()> {
        let token = mark(0).into_bytes();
        let answer =
            self.connection.ask(&self.wanted.ask, |body| body.windows(token.len()).any(|at| at == token))?;
        let seen = answer.seen.filter(|_| answer.body.contains(self.wanted.caller.end()));
        let seen =
            seen.ok_or_else(|| Failure::Failed(format!("not a whole stream: {:.300}", answer.body)))?;
        self.times.push(us(seen));
        Ok(())
    }
}
