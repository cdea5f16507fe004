//! How long it lasts: a thousand warm runs of two tenants in turn, a tenth of them hostile. Nobody ever sees another's
//! secret, and what is under test has as much of everything at the end as at the beginning.

use std::sync::Arc;

use libtest_mimic::Trial;
use opencode_core::sandbox::Execution;

use super::case;
use super::place::{Ask, Place};
use super::seen::Seen;
use super::setup::{Parts, Setup};

/// Runs in all.
const RUNS: usize = 1_000;
/// Before the first sample everything has been used once; from one to the other nothing may grow.
const FIRST: usize = 200;
/// What may be more at the end, in bytes: allocators keep some.
const GROWTH: u64 = 8 * 1024 * 1024;
/// Runs that leave something in every way that there is.
const HOSTILE: [&str; 5] = [
    "19-leave-a-canary.py",
    "25-leave-startup-files.py",
    "27-daemon.py",
    "41-grandchild-holds-pipe.py",
    "60-alternating.py",
];

/// The one test of this kind.
pub fn trials(setup: Setup, parts: &Arc<Parts>) -> Vec<Trial> {
    let parts = Arc::clone(parts);
    vec![Trial::test(format!("{}::lasts::{RUNS} runs", setup.name()), move || Ok(run(setup, &parts)?))]
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    resident: u64,
    files: u64,
    processes: u64,
    disk: u64,
}

fn run(setup: Setup, parts: &Parts) -> Result<(), String> {
    let mut place = Place::start(setup, parts, &[])?;
    place.canaries.push(case::RUNS.to_owned());
    let (mut first, mut last) = (None, None);
    for count in 0..RUNS {
        let own = format!("{}{count}-", case::RUNS);
        let seen = place.ask(&ask(count, &own)?)?;
        let seen = seen.with_own(own);
        hold(&seen).map_err(|why| format!("run {count}: {why}\n{}", seen.summary()))?;
        if count == FIRST {
            first = Some(sample(&seen));
        }
        last = Some(sample(&seen));
    }
    let (Some(first), Some(last)) = (first, last) else { return Err("no samples".to_owned()) };
    let grown = last.resident > first.resident + GROWTH
        || last.files > first.files + 4
        || last.processes > first.processes + 2
        || last.disk > first.disk + GROWTH;
    if grown { Err(format!("{first:?} has become {last:?}")) } else { Ok(()) }
}

/// Every tenth is hostile; the others look whether they find anything.
fn ask(count: usize, own: &str) -> Result<Ask, String> {
    let hostile = count % 10 == 3;
    let mut run = match hostile {
        true => case::execution(HOSTILE[count / 10 % HOSTILE.len()])?,
        false => {
            case::execution("60-alternating.py").map(|run| Execution { code: looking(&run.code), ..run })?
        }
    };
    run.stdin = own.to_owned();
    let tenant = ["acme", "globex"][count % 2];
    Ok(Ask { tenant: tenant.to_owned(), ..Ask::of(&run) })
}

/// The program's first part: it leaves nothing.
fn looking(code: &str) -> String {
    let end = code.find("for place in places:").unwrap_or(code.len());
    format!("{}tried('looking')\n", &code[..end])
}

fn hold(seen: &Seen) -> Result<(), String> {
    let signs = seen.signs();
    if seen.status() == "ok" && signs.is_empty() && seen.tried() {
        Ok(())
    } else {
        Err(format!("{:?} with {signs:?}", seen.status()))
    }
}

fn sample(seen: &Seen) -> Sample {
    let survey = &seen.whole["survey"];
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or_default();
    Sample {
        resident: number(&survey["keeper"]["resident_bytes"]),
        files: number(&survey["keeper"]["files"]),
        processes: number(&survey["processes"]),
        disk: number(&survey["disk_bytes"]),
    }
}
