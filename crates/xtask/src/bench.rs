//! `cargo xtask bench`: measures the artefacts.

mod http;
mod init;
mod latency;

use std::time::Duration;

use crate::artefacts::{self, LAMBDA_TOOLS, WORKER_TOOLS};
use crate::failure::{Result, failed};
use crate::size;
use crate::tools::set_up;

/// The most that the median start of the Lambda binary may take.
const INIT_BOUND: Duration = Duration::from_millis(60);

/// Builds the release artefacts, measures them and prints a table in Markdown.
pub fn run() -> Result<()> {
    let tools = set_up(&[WORKER_TOOLS.as_slice(), &LAMBDA_TOOLS].concat())?;
    let wasm = artefacts::worker(&tools)?.join("index_bg.wasm");
    let lambda = artefacts::lambda(&tools)?;
    let native = artefacts::native_release()?;

    let start = init::to_first_next(&lambda)?;
    let floor = init::to_nothing()?;
    let latency = latency::measure(&native)?;
    println!("| measure | value | beside it |");
    println!("| --- | --- | --- |");
    println!(
        "| Lambda, start to first `/next`: median | {} | `true`, start to end: {} |",
        ms(start.median()),
        ms(floor.median())
    );
    println!(
        "| Lambda, start to first `/next`: p95 | {} | `true`, start to end: {} |",
        ms(start.p95()),
        ms(floor.p95())
    );
    println!(
        "| Worker, gzipped | {} kB | bound {} kB |",
        size::gzipped(&wasm)?.div_ceil(1000),
        size::WASM_BOUND / 1000
    );
    println!(
        "| Lambda binary | {} kB | bound {} kB |",
        size::plain(&lambda)?.div_ceil(1000),
        size::LAMBDA_BOUND / 1000
    );
    println!("{}", latency.row());
    if start.median() > INIT_BOUND {
        return failed(format!("the Lambda binary may take {} to its first `/next`", ms(INIT_BOUND)));
    }
    Ok(())
}

/// Durations of the same thing, sorted.
pub struct Sample(Vec<Duration>);

impl Sample {
    /// Measures `times` times.
    pub fn take(times: usize, mut once: impl FnMut() -> Result<Duration>) -> Result<Self> {
        let mut all = (0..times).map(|_| once()).collect::<Result<Vec<_>>>()?;
        all.sort();
        Ok(Self(all))
    }

    /// Half take no longer.
    pub fn median(&self) -> Duration {
        self.at(50)
    }

    /// 95 in 100 take no longer.
    pub fn p95(&self) -> Duration {
        self.at(95)
    }

    fn at(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_sorted_and_ranks_are_the_nearest() {
        let mut next = 20;
        let sample = Sample::take(20, || {
            next -= 1;
            Ok(Duration::from_millis(next + 1))
        });
        let sample = sample.unwrap();
        assert_eq!(sample.median(), Duration::from_millis(10));
        assert_eq!(sample.p95(), Duration::from_millis(19));
    }
}
