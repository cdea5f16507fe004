//! The Lambda binary: how soon it asks for work, how large it is, how much memory it takes.

use serde_json::{Value, json};

use super::bounds::Bound;
use super::sample::ms;
use super::{init, overhead};
use crate::artefacts::{self, LAMBDA_TOOLS};
use crate::failure::Result;
use crate::size;
use crate::tools::set_up;

/// The most milliseconds that the median start to the first `/next` may take.
const INIT_MS: f64 = 60.0;

/// Start, size and memory, and their bounds.
pub fn measure() -> Result<(Value, Vec<Bound>)> {
    println!("measuring the Lambda binary");
    let binary = overhead::artefact("OPENCODE_LAMBDA_BIN", || artefacts::lambda(&set_up(&LAMBDA_TOOLS)?))?;
    let start = init::to_first_next(&binary)?;
    let floor = init::to_nothing()?;
    let served = init::memory_after_answers(&binary)?;
    let bytes = size::plain(&binary)?;
    let figures = json!({
        "binary_bytes": bytes,
        "init_to_first_next_ms_p50": ms(start.median()),
        "init_to_first_next_ms_p95": ms(start.at(95)),
        "start_of_true_ms_p50": ms(floor.median()),
        "peak_memory_at_first_next_bytes": served.first,
        "peak_memory_after_answers_bytes": served.last,
        "answers_of_get_health": served.answers,
    });
    let bounds = vec![
        Bound::at_most("Lambda, start to first /next, median", INIT_MS, "ms", Some(ms(start.median()))),
        Bound::at_most("Lambda binary", size::LAMBDA_BOUND as f64 / 1e6, "MB", Some(bytes as f64 / 1e6)),
    ];
    Ok((figures, bounds))
}
