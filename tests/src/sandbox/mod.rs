//! The sandbox under attack: every case of the corpus under three set-ups, then what it is for, then how it lasts.
//!
//! - `table`: what must come of each attack, as data; the programs are files in `tests/sandbox/`.
//! - `case`: one attack in one set-up. `seen`: the signs of an escape.
//! - `place`, `stage`: where it happens: namespaces whose first process plays the machine around the sandbox.
//! - `setup`: full, lambda (`refuse` refuses what Lambda refuses), control (`naive` protects nothing).
//! - `works`: what programs can do there. `lasts`: a thousand runs of two tenants.

mod case;
mod lasts;
mod naive;
mod place;
mod refuse;
mod seen;
mod setup;
mod stage;
mod table;
mod works;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Trial};

use self::case::Verdict;
use self::setup::{Parts, Setup};
use self::table::{CASES, Expected, ROWS, Row};
use crate::suite::{self, say};

/// What the rows of each case came to.
type Score = Arc<Mutex<BTreeMap<u8, Verdict>>>;

/// Runs the suite: one score for each set-up.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    let mut arguments = arguments.clone();
    arguments.test_threads.get_or_insert(3);
    let parts = Arc::new(Parts::gather()?);
    let mut passed = true;
    for setup in Setup::ALL {
        let score = Score::default();
        let mut trials: Vec<Trial> = ROWS.iter().map(|row| trial(row, setup, &parts, &score)).collect();
        if setup != Setup::Control {
            trials.extend(works::trials(setup, &parts));
            trials.extend(lasts::trials(setup, &parts));
        }
        let name = format!("sandbox {}", setup.name());
        passed &= suite::run(&name, &arguments, trials);
        if arguments.filter.is_none() {
            say(&format!("{name}: {}", sum(setup, &score.lock().unwrap())));
        }
    }
    Ok(passed)
}

/// Becomes one of the programs that the suite itself is made of, if that is asked for.
pub fn inner(args: &[String]) -> Option<ExitCode> {
    let rest = args.get(1..).unwrap_or_default();
    let first = rest.first().map(String::as_str).unwrap_or_default();
    match args.first()?.as_str() {
        "sandbox-stage" => Some(stage::main()),
        "sandbox-refuse" => Some(refuse::main(rest)),
        "sandbox-naive" => Some(naive::main(first)),
        _ => None,
    }
}

fn trial(row: &'static Row, setup: Setup, parts: &Arc<Parts>, score: &Score) -> Trial {
    let name = [&[row.file], row.args].concat().join("::");
    let (parts, score) = (Arc::clone(parts), Arc::clone(score));
    let expected = if setup == Setup::Full { row.full } else { row.lambda };
    let cannot = match expected {
        Expected::NotApplicable(why) if setup != Setup::Control => Some(why),
        _ => None,
    };
    let name = format!(
        "{}::{name}{}{}",
        setup.name(),
        row.play.name(),
        cannot.map(|why| format!(" ({why})")).unwrap_or_default()
    );
    let trial = Trial::test(name, move || {
        let verdict = case::play(row, setup, &parts)?;
        let mut score = score.lock().unwrap();
        let known = score.entry(row.number).or_insert(verdict);
        *known = verdict.max(*known);
        Ok(())
    });
    trial.with_ignored_flag(cannot.is_some())
}

fn sum(setup: Setup, score: &BTreeMap<u8, Verdict>) -> String {
    let count = |wanted: Verdict| score.values().filter(|verdict| **verdict == wanted).count();
    if setup == Setup::Control {
        return format!("{} of {CASES} cases fall, or are no attacks", count(Verdict::Fell));
    }
    let cannot = ROWS.iter().filter(|row| {
        let expected = if setup == Setup::Full { row.full } else { row.lambda };
        matches!(expected, Expected::NotApplicable(_))
    });
    let (held, recorded) = (count(Verdict::Held), count(Verdict::Recorded));
    format!("{held} held, {recorded} recorded, {} n.a. of {CASES} cases", cannot.count())
}
