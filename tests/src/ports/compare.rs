//! A store against the model, operation by operation.

use std::time::{Duration, SystemTime};

use opencode_core::host::Time;

use super::generate::Sequence;
use super::model::Model;
use super::player::Player;

/// How many operations a sequence has.
const STEPS: usize = 60;

/// Plays the sequence of a seed on a store and compares every answer.
pub async fn sequence(player: &impl Player, seed: u64) -> Result<(), String> {
    let start = now().plus(Duration::from_secs(3_600));
    let tag = format!("s{:x}", now().0);
    let mut model = Model::default();
    let mut sequence = Sequence::new(seed, &tag, start);
    let mut played = Vec::new();
    for step in 0..STEPS {
        let op = sequence.op(step);
        let expected = model.play(&op);
        let actual = player.play(op.clone()).await;
        if !model.allows(&op, &expected, &actual) {
            return Err(format!(
                "seed {seed}, step {step}: {}\n  expected {}\n  answered {}\n  before it:\n    {}",
                short(&op),
                short(&expected),
                short(&actual),
                played.join("\n    ")
            ));
        }
        played.push(format!("{} -> {}", short(&op), short(&actual)));
    }
    Ok(())
}

/// The clock's time.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::default().plus(since)
}

fn short(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.chars().take(400).collect()
}
