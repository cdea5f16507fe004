//! Thousands of seeded calls over slow, lossy, lying providers on virtual time.
//!
//! A seed makes a scene: a configuration, two tenants with limits, one to three targets, ten callers. The core runs as
//! it is, on ports in memory and a clock that jumps. `upstream` holds how providers fail and a row for each dialect
//! that they speak, `caller` a row for each dialect of callers, `check` what must hold whatever happens.
//!
//! A scene that fails names its seed. `cargo xtask test sim --filter seed=N` plays exactly that scene, with the story
//! of the call that broke. `OPENCODE_SIM_SCENES=N` plays another number of scenes.

mod caller;
mod check;
mod clock;
mod follow;
mod host;
mod scene;
mod upstream;
mod world;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use libtest_mimic::{Arguments, Trial};

use self::check::{PAIR, Tally};
use crate::suite;

/// Scenes of ten calls each.
const SCENES: u64 = 1_200;
/// Scenes that one trial plays.
const PER_TRIAL: u64 = 50;
/// Plays another number of scenes.
const CHOICE: &str = "OPENCODE_SIM_SCENES";

/// What must have happened in a whole run, or it has proved little: each at least once in a hundred calls.
const COMMON: [&str; 9] = [
    "left",
    "owners died",
    "limited",
    "taken up again",
    "several attempts",
    "receipts complete",
    "receipts cached",
    "receipts failed",
    "receipts left",
];

/// What must have happened as well: each at least once in three hundred calls.
const RARE: [&str; 1] = ["continued"];

/// Runs the suite; one line of result, and one of what happened.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    let began = Instant::now();
    let sum: Arc<Mutex<Tally>> = Arc::default();
    let one = arguments.filter.as_deref().and_then(|filter| filter.strip_prefix("seed="));
    let trials = match one {
        Some(seed) => {
            let seed = seed.parse::<u64>().map_err(|_| format!("seed={seed} is no number"))?;
            vec![trial(format!("seed={seed}"), seed..seed + 1, &sum)]
        }
        None => {
            let scenes = std::env::var(CHOICE).ok().and_then(|text| text.parse().ok()).unwrap_or(SCENES);
            let parts = (0..scenes).step_by(PER_TRIAL as usize);
            parts
                .map(|first| {
                    let seeds = first..(first + PER_TRIAL).min(scenes);
                    trial(format!("seeds {}..{}", seeds.start, seeds.end), seeds, &sum)
                })
                .collect()
        }
    };
    let passed = suite::run("sim", arguments, trials);
    let sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
    let counted = |name: &str| sum.get(name).copied().unwrap_or(0);
    let (pairs, all): (Vec<_>, Vec<_>) = sum.iter().partition(|(name, _)| name.starts_with(PAIR));
    let every = upstream::DIALECTS.len() * caller::DIALECTS.len();
    let all: Vec<String> = all.into_iter().map(|(name, count)| format!("{count} {name}")).collect();
    let (pairs, took) = (pairs.len(), began.elapsed().as_secs_f64());
    suite::say(&format!("sim: {}; {pairs} of {every} pairs of dialects; in {took:.1} s", all.join(", ")));
    if arguments.filter.is_none() && passed && counted("calls") >= 1_000 {
        let wanted = COMMON.map(|name| (name, 100)).into_iter().chain(RARE.map(|name| (name, 300)));
        let rare: Vec<&str> = wanted
            .filter(|(name, part)| counted(name) < counted("calls") / part)
            .map(|(name, _)| name)
            .collect();
        if pairs < every {
            return Err(format!("sim: only {pairs} of {every} pairs of dialects have met"));
        }
        if !rare.is_empty() {
            return Err(format!("sim: this happened hardly ever, so little is proved: {rare:?}"));
        }
    }
    Ok(passed)
}

fn trial(name: String, seeds: std::ops::Range<u64>, sum: &Arc<Mutex<Tally>>) -> Trial {
    let sum = Arc::clone(sum);
    Trial::test(name, move || {
        for seed in seeds {
            let tally = scene::play(seed)?;
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            for (name, count) in tally {
                *sum.entry(name).or_default() += count;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_plays_the_same_scene_every_time() {
        let tallies: Vec<Tally> = (0..10).map(|seed| scene::play(seed).unwrap()).collect();
        assert_eq!(tallies, (0..10).map(|seed| scene::play(seed).unwrap()).collect::<Vec<_>>());
        assert!(tallies.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
