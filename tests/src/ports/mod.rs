//! The store ports of every host, compared with one model in memory.
//!
//! A failing sequence names its seed and step, and what was played before it.

pub mod compare;
pub mod contention;
pub mod generate;
pub mod model;
pub mod player;
mod queue;
mod stores;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use self::player::{Local, Player};
use self::stores::{Dynamo, Probe};
use crate::hosts;
use crate::suite::{self, RUNTIME};

/// Sequences on each store.
const SEQUENCES: u64 = 40;
/// Sequences that one trial plays.
const PER_TRIAL: u64 = 10;

/// Chooses stores by their names, with commas between them; all without it.
const CHOICE: &str = "OPENCODE_STORES";

/// Runs the suite; one line of result for each store.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    let mut arguments = arguments.clone();
    arguments.test_threads.get_or_insert(4);
    let choice = std::env::var(CHOICE).unwrap_or_default();
    let chosen = |name: &str| choice.is_empty() || choice.split(',').any(|chosen| chosen == name);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut passed = true;
    if chosen("sqlite") {
        let file = folder.path().join("ports.sqlite");
        let store = opencode_native::Store::open(&file).map_err(|error| error.to_string())?;
        passed &= suite::run("sqlite", &arguments, trials(&Arc::new(Local(store))));
    }
    if chosen("dynamodb") {
        let stores = RUNTIME.block_on(hosts::stores::Stores::start(folder.path()))?;
        let mut all = trials(&Arc::new(Dynamo(stores.client()?)));
        all.push(trial("queue delay", queue::sqs(stores.client()?, stores.sqs.clone())));
        passed &= suite::run("dynamodb", &arguments, all);
    }
    if chosen("worker") {
        let probe = RUNTIME.block_on(Probe::start(folder.path()))?;
        passed &= suite::run("worker", &arguments, trials(&Arc::new(probe)));
    }
    Ok(passed)
}

fn trials(player: &Arc<impl Player>) -> Vec<Trial> {
    let mut all: Vec<Trial> = (0..SEQUENCES / PER_TRIAL)
        .map(|part| {
            let player = Arc::clone(player);
            let seeds = part * PER_TRIAL..(part + 1) * PER_TRIAL;
            let name = format!("sequences {}..{}", seeds.start, seeds.end);
            Trial::test(name, move || {
                for seed in seeds {
                    RUNTIME.block_on(compare::sequence(&*player, seed))?;
                }
                Ok(())
            })
        })
        .collect();
    macro_rules! contention {
        ($($name:ident),*) => {$({
            let player = Arc::clone(player);
            all.push(Trial::test(concat!("contention ", stringify!($name)), move || {
                Ok(RUNTIME.block_on(contention::$name(&*player))?)
            }));
        })*};
    }
    contention!(holds, swaps, closes, appends);
    all
}

fn trial(name: &str, check: impl Future<Output = Result<(), String>> + Send + 'static) -> Trial {
    Trial::test(name, move || Ok(RUNTIME.block_on(check)?))
}
