//! The members that say how tokens are chosen.

use serde_json::Value;

use super::refusal::Refusal;
use super::request::{Defaults, Members};
use crate::generate::Sampling;

/// Their names.
pub(super) const MEMBERS: [&str; 6] =
    ["temperature", "top_p", "frequency_penalty", "presence_penalty", "logit_bias", "seed"];

/// More tokens than anyone names by hand.
const MAX_BIASES: usize = 1_024;

/// Ranges as OpenAI's reference has them.
pub(super) fn read(members: &Members, defaults: &Defaults) -> Result<Sampling, Refusal> {
    Ok(Sampling {
        temperature: members.number("temperature", 0.0, 2.0)?.unwrap_or(defaults.temperature),
        top_p: members.number("top_p", 0.0, 1.0)?.unwrap_or(defaults.top_p),
        frequency_penalty: members.number("frequency_penalty", -2.0, 2.0)?.unwrap_or(0.0),
        presence_penalty: members.number("presence_penalty", -2.0, 2.0)?.unwrap_or(0.0),
        bias: bias(members.get("logit_bias"))?,
        seed: seed(members.get("seed"))?.unwrap_or_else(|| fastrand::u64(..)),
    })
}

fn seed(value: Option<&Value>) -> Result<Option<u64>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let seed = value.as_i64().map(i64::cast_unsigned).or_else(|| value.as_u64());
    seed.map(Some).ok_or_else(|| Refusal::invalid(Some("seed"), "seed must be a whole number of 64 bits"))
}

fn bias(value: Option<&Value>) -> Result<Vec<(u32, f32)>, Refusal> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let wrong = || {
        let message = format!("logit_bias must map up to {MAX_BIASES} token ids to numbers from -100 to 100");
        Refusal::invalid(Some("logit_bias"), message)
    };
    let biases = value.as_object().filter(|all| all.len() <= MAX_BIASES).ok_or_else(wrong)?;
    biases
        .iter()
        .map(|(token, bias)| {
            let bias = bias.as_f64().filter(|bias| bias.abs() <= 100.0);
            token.parse().ok().zip(bias.map(|bias| bias as f32)).ok_or_else(wrong)
        })
        .collect()
}
