//! The report as tables in Markdown.

use serde_json::Value;

use super::bounds::{Bound, added, median};
use super::contestant::{DIRECT, NGINX, TENSORZERO};
use super::gateways::Row;
use super::question::Kind;

/// Latency and throughput of a kind of answer.
pub fn load(rows: &[Row], kind: Kind) {
    let name = kind.name();
    let p50 = format!("{name}_p50_us_1");
    let title = if kind == Kind::Whole { "not streamed" } else { "streamed, all there at once" };
    println!("\n**{title}** (`added` is over direct; `× n` and `× tz` compare with nginx and TensorZero)\n");
    println!(
        "| | p50 µs, c=1 | added µs | × n | × tz | p99 µs, c=1 | /s, c=16 | × n | × tz | /s, c=64 | × n | × tz | \
         p99 µs, c=64 | CPU µs each, c=16 |"
    );
    println!("|---|{}", "--:|".repeat(13));
    for row in rows {
        let figure = |what: &str| median(rows, row.name, &format!("{name}_{what}"));
        let of =
            |rival: &str, what: &str| times(figure(what), median(rows, rival, &format!("{name}_{what}")));
        let ours = added(rows, row.name, &p50).filter(|_| row.name != DIRECT);
        let added_of = |rival| times(ours, added(rows, rival, &p50).filter(|added| *added > 0.0));
        let cells = [
            number(figure("p50_us_1"), 0),
            number(ours, 0),
            added_of(NGINX),
            added_of(TENSORZERO),
            number(figure("p99_us_1"), 0),
            number(figure("per_second_16"), 0),
            of(NGINX, "per_second_16"),
            of(TENSORZERO, "per_second_16"),
            number(figure("per_second_64"), 0),
            of(NGINX, "per_second_64"),
            of(TENSORZERO, "per_second_64"),
            number(figure("p99_us_64"), 0),
            number(figure("cpu_us_16"), 0),
        ];
        println!("| {} | {} |", label(row), cells.join(" | "));
    }
}

/// First token, memory and start.
pub fn rest(rows: &[Row]) {
    println!("\n| | first token p50 µs | added µs | p99 µs | resident MB, at most | start ms |");
    println!("|---|{}", "--:|".repeat(5));
    for row in rows {
        let figure = |what| median(rows, row.name, what);
        let cells = [
            number(figure("first_token_p50_us"), 0),
            number(added(rows, row.name, "first_token_p50_us").filter(|_| row.name != DIRECT), 0),
            number(figure("first_token_p99_us"), 0),
            number(figure("memory_bytes").map(|bytes| bytes / 1e6), 1),
            number(figure("start_ms"), 1),
        ];
        println!("| {} | {} |", label(row), cells.join(" | "));
    }
    for row in rows {
        if let Some(why) = &row.missing {
            println!("\nmissing: {}: {why}", row.name);
        }
    }
}

/// A part's figures, one a line.
pub fn part(name: &str, figures: &Value) {
    println!("\n**{name}**\n\n| | |\n|---|--:|");
    let Some(figures) = figures.as_object() else { return println!("| missing | {figures} |") };
    for (what, value) in figures {
        match value.as_f64() {
            Some(value) => {
                println!("| {what} | {} |", number(Some(value), if value < 1_000.0 { 1 } else { 0 }))
            }
            None if value.is_array() => {}
            None => println!("| {what} | {} |", value.as_str().unwrap_or_default()),
        }
    }
}

/// Each bound, and whether it was met.
pub fn bounds(bounds: &[Bound]) {
    println!("\n| bound | | measured | |\n|---|---|--:|---|");
    for bound in bounds {
        let verdict = match bound.is_met() {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => "not measured",
        };
        println!("| {} | {} | {} | {verdict} |", bound.what, bound.limit, number(bound.measured, 2));
    }
}

fn label(row: &Row) -> String {
    let missing = if row.missing.is_some() { " (missing)" } else { "" };
    format!("{} {}{missing}", row.name, row.version)
}

fn times(ours: Option<f64>, rival: Option<f64>) -> String {
    number(ours.zip(rival).map(|(ours, rival)| ours / rival), 2)
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}
