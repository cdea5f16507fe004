//! `cargo xtask bench sandbox`: what a run of code costs beside the same program bare and in other sandboxes, how soon
//! a runaway is dead, what a thousand runs leave in memory; by the bench `runs` of the sandbox's crate.

use serde_json::{Value, json};

use super::bounds::Bound;
use super::{Options, machine, overhead, tables};
use crate::failure::{Doing, Failure, Result};
use crate::process;

/// A cold run of `print(1)`, in multiples of the interpreter alone.
const COLD: f64 = 1.3;
/// The same where an interpreter was started ahead.
const WARM: f64 = 0.5;
/// How many times as long other sandboxes take.
const OTHERS: f64 = 2.0;
/// Milliseconds from a limit to the death of what went past it: half of all, and the worst.
const DEAD: (f64, f64) = (50.0, 150.0);
/// Resident megabytes after a thousand runs.
const MEMORY: f64 = 20.0;

/// What `--only` can name.
pub fn keys() -> Vec<&'static str> {
    vec!["sandbox"]
}

/// Runs the bench, prints tables and writes the report. A bound that is missed is marked and is no failure of the run.
pub fn run(options: &Options) -> Result<()> {
    let mut bench = process::cargo();
    bench.args(["bench", "--package", "opencode-sandbox", "--bench", "runs", "--"]);
    bench.args(options.quick.then_some("--quick"));
    // cargo says what it does beside it, on the other stream.
    let mut said = String::new();
    let succeeded = process::lines(&mut bench, |line| {
        if line.starts_with('{') {
            line.clone_into(&mut said);
        }
    })?;
    if !succeeded {
        return Err(Failure::Missing("the bench of the sandbox failed".to_owned()));
    }
    let found: Value = serde_json::from_str(&said).doing("read what the bench said")?;

    let median_of = |name: &str| median(&numbers(&found["ms"][name]));
    let bare = median_of("bare");
    let names: Vec<&String> = found["ms"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
    println!(
        "\n**`print(1)` in Python, from the request to the answer**\n\n| | p50 ms | p95 ms | × bare |\n|---|--:|--:|--:|"
    );
    for name in &names {
        let all = numbers(&found["ms"][name.as_str()]);
        let times = median(&all).zip(bare).map(|(ms, bare)| ms / bare);
        println!("| {name} | {} | {} | {} |", shown(median(&all)), shown(part(&all, 0.95)), shown(times));
    }
    println!(
        "\n**From a limit to the death of all that went past it**\n\n| | runs | p50 ms | worst ms |\n|---|--:|--:|--:|"
    );
    let mut all_dead = Vec::new();
    for (kind, took) in found["dead_ms"].as_object().into_iter().flatten() {
        let took = numbers(took);
        println!("| {kind} | {} | {} | {} |", took.len(), shown(median(&took)), shown(part(&took, 1.0)));
        all_dead.extend(took);
    }
    let times = |name: &str| median_of(name).zip(bare).map(|(ms, bare)| ms / bare);
    let mut bounds = vec![
        Bound::at_most("a cold run of `print(1)`", COLD, "× bare", times("cold")),
        Bound::at_most("a run by an interpreter that was started ahead", WARM, "× bare", times("warm")),
    ];
    for name in names.iter().filter(|name| !["bare", "cold", "warm"].contains(&name.as_str())) {
        let slower = |ours: &str| median_of(name).zip(median_of(ours)).map(|(theirs, ours)| theirs / ours);
        bounds.push(Bound::at_least(format!("the same in {name}"), OTHERS, "× ours, cold", slower("cold")));
        let served = "× ours, as it is served: warm";
        bounds.push(Bound::at_least(format!("the same in {name}"), OTHERS, served, slower("warm")));
    }
    bounds.push(Bound::at_most("a runaway is dead after its limit, p50", DEAD.0, "ms", median(&all_dead)));
    bounds.push(Bound::at_most("the same, worst", DEAD.1, "ms", part(&all_dead, 1.0)));
    let resident = found["resident_bytes"].as_f64().map(|bytes| bytes / 1e6);
    bounds.push(Bound::at_most("resident memory after a thousand runs", MEMORY, "MB", resident));
    tables::bounds(&bounds);
    println!("isolation: {}", found["isolation"]);
    let report = json!({
        "machine": machine::describe(),
        "quick": options.quick,
        "found": found,
        "bounds": bounds.iter().map(Bound::json).collect::<Vec<_>>(),
    });
    overhead::write(&report, "sandbox.json")
}

fn numbers(value: &Value) -> Vec<f64> {
    let mut numbers: Vec<f64> = value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

fn median(sorted: &[f64]) -> Option<f64> {
    part(sorted, 0.5)
}

/// Of numbers, in any order, the one that so large a part of them does not exceed.
fn part(numbers: &[f64], part: f64) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = ((sorted.len() as f64 * part).ceil() as usize).saturating_sub(1);
    sorted.get(place).copied()
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_part_of_numbers_does_not_exceed() {
        let numbers = [3.0, 1.0, 2.0, 4.0];
        assert_eq!([0.5, 0.75, 0.95, 1.0].map(|it| part(&numbers, it)), [2.0, 3.0, 4.0, 4.0].map(Some));
        assert_eq!(part(&[], 0.5), None);
    }
}
