//! One row in one set-up: played, looked at, judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use opencode_core::sandbox::{Encoding, Execution, File, Limits};
use serde_json::Value;

use super::place::{Ask, Place};
use super::seen::{Seen, Sign};
use super::setup::{Parts, Setup};
use super::table::{Control, Expected, Play, Row};

/// How the secrets of runs begin that are told from each other by a number.
pub const RUNS: &str = "canary-run-";

/// What came of a row that went as the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing got past.
    Held,
    /// Something did, that the platform cannot stop there, and it was harmless.
    Recorded,
    /// In the control: it got past, as it must; or it is no attack.
    Fell,
}

/// A file of `tests/sandbox/`.
pub fn program(name: &str) -> Result<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sandbox").join(name);
    fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))
}

/// An execution of a file, with the helpers of all attacks beside it.
pub fn execution(name: &str) -> Result<Execution, String> {
    let language = if name.ends_with(".js") { "javascript" } else { "python" };
    let helpers =
        File { name: "attack.py".to_owned(), content: program("attack.py")?, encoding: Encoding::Utf8 };
    let mut run = Execution::of(language, &program(name)?);
    run.files = vec![helpers];
    run.nonce = "a nonce".to_owned();
    run.whole = true;
    run.limits = Limits {
        wall_ms: 8_000,
        cpu_ms: 8_000,
        memory_bytes: 256 << 20,
        disk_bytes: 16 << 20,
        processes: 32,
        ..Limits::default()
    };
    Ok(run)
}

/// Plays a row. The error says what went otherwise than the table has it.
pub fn play(row: &Row, setup: Setup, parts: &Parts) -> Result<Verdict, String> {
    let mut place = Place::start(setup, parts, &[])?;
    let runs = match row.play {
        Play::Once => vec![place.run(&first(row)?)?],
        Play::Then(second) => vec![place.run(&first(row)?)?, place.run(&execution(second)?)?],
        Play::Reset(how, second) => {
            let ask = Ask { reset: Some(how), ..Ask::of(&first(row)?) };
            vec![place.ask(&ask)?, place.run(&execution(second)?)?]
        }
        Play::Refused | Play::Taken => changed(row, &mut place, setup)?,
        Play::Alternating(times) => alternating(row, &mut place, times)?,
    };
    // What is there when the suite itself ends an environment is wiped by the next one, if at all.
    let own = if matches!(row.play, Play::Reset(..)) { 1 } else { 0 };
    let mut signs = BTreeMap::new();
    for seen in &runs[own..] {
        signs.extend(seen.signs());
    }
    match (setup, row.control) {
        (Setup::Control, Control::NoAttack) => Ok(Verdict::Fell),
        (Setup::Control, Control::Falls(sign)) => match signs.contains_key(&sign) {
            true => Ok(Verdict::Fell),
            false => Err(format!("{sign:?} is not among {signs:?}\n{}", all(&runs))),
        },
        (Setup::Full, _) => judge(row, row.full, &signs, &runs, &mut place),
        (Setup::Lambda, _) => judge(row, row.lambda, &signs, &runs, &mut place),
    }
}

fn first(row: &Row) -> Result<Execution, String> {
    let mut run = execution(row.file)?;
    run.args = row.args.iter().map(|arg| (*arg).to_owned()).collect();
    (row.shape)(&mut run);
    Ok(run)
}

fn judge(
    row: &Row,
    expected: Expected,
    signs: &BTreeMap<Sign, String>,
    runs: &[Seen],
    place: &mut Place,
) -> Result<Verdict, String> {
    let verdict = match expected {
        Expected::Held if signs.is_empty() => Verdict::Held,
        Expected::Recorded(known) if !signs.is_empty() && signs.keys().all(|sign| known.contains(sign)) => {
            Verdict::Recorded
        }
        expected => return Err(format!("{expected:?}, but {signs:?}\n{}", all(runs))),
    };
    let lost = [Sign::Lost, Sign::Hung, Sign::Poisoned].iter().any(|sign| signs.contains_key(sign));
    if let Some(run) = runs
        .first()
        .filter(|_| matches!(row.play, Play::Once | Play::Then(_) | Play::Alternating(_)) && !lost)
    {
        if !row.ends.contains(&run.status()) {
            return Err(format!("it ended with {:?}\n{}", run.status(), run.summary()));
        }
        let stopped = !matches!(run.status(), "ok" | "error");
        if !run.tried() && !stopped {
            return Err(format!("it has tried nothing\n{}", run.summary()));
        }
    }
    clean(place).map(|()| verdict)
}

/// After every attack the next run is as any other.
fn clean(place: &mut Place) -> Result<(), String> {
    let seen = place.run(&execution("plain.py")?)?;
    let signs = seen.signs();
    if signs.is_empty() && seen.status() == "ok" && seen.text("stdout") == "plain\n" {
        Ok(())
    } else {
        Err(format!("the next run was not clean: {signs:?}\n{}", seen.summary()))
    }
}

/// A plain execution with each of the changes of a file.
fn changed(row: &Row, place: &mut Place, setup: Setup) -> Result<Vec<Seen>, String> {
    let changes: Vec<Value> = serde_json::from_str(&program(row.file)?).map_err(|error| error.to_string())?;
    let plain = serde_json::to_value(execution("plain.py")?).map_err(|error| error.to_string())?;
    let mut runs = Vec::new();
    for change in changes {
        let mut run = plain.clone();
        for (name, value) in change.as_object().into_iter().flatten() {
            run[name] = expanded(value);
        }
        // JSON has a way to write half a letter that no text of Rust's can hold.
        let event = run.to_string().replace("<half>", "\\ud800");
        let seen = place.ask(&Ask { event, ..Ask::of(&execution("plain.py")?) })?;
        let refused = seen.problem.as_deref().is_some_and(|problem| problem.starts_with("refused"));
        let ran = matches!(seen.status(), "ok" | "error" | "memory");
        if setup != Setup::Control && !refused && !(ran && matches!(row.play, Play::Taken)) {
            return Err(format!("not refused: {change}\n{}", seen.summary()));
        }
        runs.push(seen);
    }
    Ok(runs)
}

/// `{"repeat": text, "times": n}` is the text so often; in a list of files, so many files.
fn expanded(value: &Value) -> Value {
    let times = value["times"].as_u64().unwrap_or_default();
    if let Some(text) = value["repeat"].as_str() {
        return text.repeat(usize::try_from(times).unwrap_or_default()).into();
    }
    match value["files"].as_str() {
        Some(name) => (0..times).map(|count| file(&format!("{name}{count}"))).collect(),
        None => value.clone(),
    }
}

fn file(name: &str) -> Value {
    serde_json::json!({ "name": name, "content": "" })
}

/// Two tenants in turn: whatever one has left, the other must not see.
fn alternating(row: &Row, place: &mut Place, times: u32) -> Result<Vec<Seen>, String> {
    place.canaries.push(RUNS.to_owned());
    let mut runs: Vec<Seen> = Vec::new();
    for count in 0..times {
        let mut run = first(row)?;
        run.stdin = format!("{RUNS}{count}-");
        let tenant = ["acme", "globex"][usize::from(count % 2 == 1)];
        let seen = place.ask(&Ask { tenant: tenant.to_owned(), ..Ask::of(&run) })?;
        let seen = seen.with_own(run.stdin);
        let found = seen.signs().contains_key(&Sign::Told);
        runs.push(seen);
        if found {
            break;
        }
    }
    Ok(runs)
}

fn all(runs: &[Seen]) -> String {
    runs.iter().map(Seen::summary).collect::<Vec<_>>().join("\n")
}
