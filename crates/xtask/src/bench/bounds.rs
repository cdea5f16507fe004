//! The bounds, and whether this run met them.

use serde_json::{Value, json};

use super::contestant::{DIRECT, NGINX, OURS, OURS_BUDGET, TENSORZERO};
use super::gateways::Row;

/// Added latency for a tenant without limits, in multiples of what nginx adds.
const ADDED_NGINX: f64 = 3.0;
/// The same for a tenant with a budget.
const ADDED_NGINX_BUDGET: f64 = 6.0;
/// Added latency, as a part of what TensorZero adds.
const ADDED_TENSORZERO: f64 = 0.5;
/// Throughput, in multiples of TensorZero's.
const RATE_TENSORZERO: f64 = 2.0;
/// Throughput, as a part of nginx's.
const RATE_NGINX: f64 = 0.5;
/// Microseconds that the first token may come later than directly.
const FIRST_TOKEN_US: f64 = 1_000.0;
/// Resident memory under load, in bytes.
const MEMORY: f64 = 40e6;
/// Microseconds for each streamed token between the upstream's bytes and the caller's.
const TRANSLATION_US: f64 = 5.0;
/// Processor time for each streamed token that passes, in multiples of nginx's.
const TOKEN_NGINX: f64 = 3.0;
/// Resident memory with a thousand streams at once, in bytes.
const MEMORY_STREAMS: f64 = 150e6;

/// A bound and what was measured of it.
pub struct Bound {
    /// What is bounded.
    pub what: String,
    /// The bound, as it is printed.
    pub limit: String,
    /// What was measured; `None` where something that it takes is missing.
    pub measured: Option<f64>,
    met: fn(f64, f64) -> bool,
    value: f64,
}

impl Bound {
    /// Measured and limit are of the same unit.
    pub fn at_most(what: impl Into<String>, value: f64, unit: &str, measured: Option<f64>) -> Self {
        let limit = format!("≤ {value} {unit}").trim_end().to_owned();
        Self { what: what.into(), limit, measured, met: |measured, limit| measured <= limit, value }
    }

    /// See [`Bound::at_most`].
    pub fn at_least(what: String, value: f64, unit: &str, measured: Option<f64>) -> Self {
        Self {
            what,
            limit: format!("≥ {value} {unit}"),
            measured,
            met: |measured, limit| measured >= limit,
            value,
        }
    }

    /// `None` where it was not measured.
    pub fn is_met(&self) -> Option<bool> {
        self.measured.map(|measured| (self.met)(measured, self.value))
    }

    /// For the report.
    pub fn json(&self) -> Value {
        json!({"what": self.what, "bound": self.limit, "measured": self.measured, "met": self.is_met()})
    }
}

/// What a row adds to the direct way, in microseconds.
pub fn added(rows: &[Row], name: &str, figure: &str) -> Option<f64> {
    Some(median(rows, name, figure)? - median(rows, DIRECT, figure)?)
}

/// A row's median.
pub fn median(rows: &[Row], name: &str, figure: &str) -> Option<f64> {
    rows.iter().find(|row| row.name == name)?.median(figure)
}

/// The bounds of the native gateway.
pub fn of_gateways(rows: &[Row]) -> Vec<Bound> {
    let added = |name: &str| added(rows, name, "whole_p50_us_1");
    let of = |ours: &str, rival: &str| ratio(added(ours), added(rival));
    let latency = "p50 added over direct, one at a time";
    let mut bounds = vec![
        Bound::at_most(latency, ADDED_NGINX, "× what nginx adds", of(OURS, NGINX)),
        Bound::at_most(latency, ADDED_TENSORZERO, "× what TensorZero adds", of(OURS, TENSORZERO)),
        Bound::at_most(
            format!("{latency}, with a budget"),
            ADDED_NGINX_BUDGET,
            "× what nginx adds",
            of(OURS_BUDGET, NGINX),
        ),
    ];
    for connections in [16, 64] {
        let rate = |name| median(rows, name, &format!("whole_per_second_{connections}"));
        let what = format!("answers a second over {connections} connections");
        let of = |rival| ratio(rate(OURS), rate(rival));
        bounds.push(Bound::at_least(what.clone(), RATE_TENSORZERO, "× TensorZero's", of(TENSORZERO)));
        bounds.push(Bound::at_least(what, RATE_NGINX, "× nginx's", of(NGINX)));
    }
    let token = self::added(rows, OURS, "first_token_p50_us");
    bounds.push(Bound::at_most("first token added, p50", FIRST_TOKEN_US, "µs", token));
    let memory = median(rows, OURS, "memory_bytes");
    bounds.push(Bound::at_most(
        "resident memory under load",
        MEMORY / 1e6,
        "MB",
        memory.map(|bytes| bytes / 1e6),
    ));
    bounds
}

/// The bound of what is added to the first token, by the slowest pair of dialects, in microseconds.
pub fn of_first_token(added: Option<f64>) -> Bound {
    Bound::at_most("first token added, p50, slowest pair of dialects", FIRST_TOKEN_US, "µs", added)
}

/// The bound of the dearest translation, in microseconds a token.
pub fn of_translation(token: Option<f64>) -> Bound {
    Bound::at_most("translating a streamed token, dearest pair of dialects", TRANSLATION_US, "µs", token)
}

/// The bound of processor time for each token that passes, ours and nginx's in the same unit.
pub fn of_passing(ours: Option<f64>, nginx: Option<f64>) -> Bound {
    Bound::at_most("CPU of a streamed token that passes", TOKEN_NGINX, "× nginx's", ratio(ours, nginx))
}

/// The bounds of many streams at once: how many were lost, and bytes of memory.
pub fn of_many(lost: usize, memory: f64) -> Vec<Bound> {
    vec![
        Bound::at_most("streams lost", 0.0, "", Some(lost as f64)),
        Bound::at_most("resident memory with all streams", MEMORY_STREAMS / 1e6, "MB", Some(memory / 1e6)),
    ]
}

/// `None` where one is missing or the rival's is lost in noise.
fn ratio(ours: Option<f64>, rival: Option<f64>) -> Option<f64> {
    Some(ours? / rival.filter(|rival| *rival > 0.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_met_missed_or_unknown() {
        let figures = |p50, rate| [("whole_p50_us_1", p50), ("whole_per_second_16", rate)];
        let rows = [
            Row::of(DIRECT, &figures(50.0, 100.0)),
            Row::of(NGINX, &figures(60.0, 80.0)),
            Row::of(OURS, &figures(80.0, 30.0)),
        ];
        let bounds = of_gateways(&rows);
        let met = |part: &str| bounds.iter().find(|bound| bound.limit.contains(part)).and_then(Bound::is_met);
        assert_eq!(met("≤ 3 × what nginx"), Some(true));
        assert_eq!(met("× what TensorZero"), None);
        assert_eq!(met("≥ 0.5 × nginx"), Some(false));
    }
}
