//! What a run costs, beside the same program without a sandbox and in other sandboxes; how soon a runaway is dead after
//! its limit; what a thousand runs leave in memory. `cargo xtask bench sandbox` runs it and prints the tables.
//!
//! Prints one JSON object: `{"ms": {contestant: [..]}, "dead_ms": {kind: [..]}, "resident_bytes": .., "isolation": ..}`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use opencode_core::sandbox::{Execution, Isolation, Limits, Line, Profile, Status};
use opencode_sandbox::run::{Sandbox, Settings};
use serde_json::json;

const PROGRAM: &str = "print(1)";
/// Resident memory is read after so many runs.
const RUNS: usize = 1_000;

#[allow(clippy::print_stdout)] // The report.
fn main() -> Result<(), String> {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let settings = Settings { profile: Some(Profile::Full), ..Settings::default() };
    let python = settings.python.clone().ok_or("there is no python3 on PATH that every user may run")?;
    let mut cold = Sandbox::new(settings.clone()).map_err(|refused| refused.to_string())?;
    let warm = Settings { warm: vec!["python".to_owned()], ..settings.clone() };
    let base = warm.base.with_extension("warm");
    let mut warm = Sandbox::new(Settings { base, ..warm }).map_err(|refused| refused.to_string())?;

    let (rounds, runaways) = if quick { (10, 6) } else { (100, 67) };
    let ms = side_by_side(&mut cold, &mut warm, &python, rounds);
    let mut dead = BTreeMap::new();
    for (kind, code, limits) in kinds() {
        let late =
            (0..runaways).map(|_| dead_after(&mut cold, code, limits)).collect::<Result<Vec<_>, _>>()?;
        dead.insert(kind, late);
    }
    for _ in 0..if quick { 50 } else { RUNS } {
        timed(&mut cold);
    }
    let resident = resident_bytes().ok_or("the kernel does not say how much memory this process has")?;
    let isolation: &Isolation = cold.isolation();
    let report = json!({"ms": ms, "dead_ms": dead, "resident_bytes": resident, "isolation": isolation});
    println!("{report}");
    Ok(())
}

/// Each contestant once a round, in turn, so that whatever disturbs the machine disturbs all of them.
fn side_by_side(
    cold: &mut Sandbox,
    warm: &mut Sandbox,
    python: &Path,
    rounds: usize,
) -> BTreeMap<String, Vec<f64>> {
    let others = others(python);
    let mut ms: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for round in 0..rounds + 3 {
        warm.prepare();
        // An interpreter that was started ahead needs its moment to be ready, as it has it between two requests.
        std::thread::sleep(std::time::Duration::from_millis(60));
        let mut took = vec![("warm".to_owned(), timed(warm)), ("cold".to_owned(), timed(cold))];
        for (name, command) in &others {
            took.push((name.clone(), outside(command)));
        }
        if round >= 3 {
            took.into_iter().for_each(|(name, took)| ms.entry(name).or_default().push(took));
        }
    }
    ms
}

/// `python3 -c` bare, and in each sandbox that is installed here.
fn others(python: &Path) -> Vec<(String, Vec<String>)> {
    let python = python.display().to_string();
    let rows: [(&str, &[&str]); 5] = [
        ("bare", &[]),
        (
            "bubblewrap",
            &[
                "bwrap",
                "--unshare-all",
                "--die-with-parent",
                "--new-session",
                "--ro-bind",
                "/",
                "/",
                "--proc",
                "/proc",
                "--dev",
                "/dev",
                "--",
            ],
        ),
        ("nsjail", &["nsjail", "--quiet", "--mode", "o", "--chroot", "/", "--"]),
        ("isolate", &["isolate", "--run", "--"]),
        ("firejail", &["firejail", "--quiet", "--noprofile", "--net=none", "--seccomp", "--"]),
    ];
    let rows = rows.map(|(name, before)| {
        let command = before.iter().map(|word| (*word).to_owned());
        (
            name.to_owned(),
            command.chain([python.clone(), "-c".to_owned(), PROGRAM.to_owned()]).collect::<Vec<_>>(),
        )
    });
    rows.into_iter().filter(|(_, command)| works(command)).collect()
}

fn works(command: &[String]) -> bool {
    run(command).is_some_and(|output| output == b"1\n")
}

fn outside(command: &[String]) -> f64 {
    let began = Instant::now();
    run(command);
    began.elapsed().as_secs_f64() * 1e3
}

fn run(command: &[String]) -> Option<Vec<u8>> {
    let (program, args) = command.split_first()?;
    let output =
        Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::piped()).output().ok()?;
    output.status.success().then_some(output.stdout)
}

fn timed(sandbox: &mut Sandbox) -> f64 {
    let execution = Execution::of("python", PROGRAM);
    let began = Instant::now();
    let (outcome, _) = sandbox.run(&execution, &mut |_: Line| {});
    let took = began.elapsed().as_secs_f64() * 1e3;
    assert_eq!((outcome.status, outcome.exit_code), (Status::Ok, Some(0)), "{outcome:?}");
    took
}

/// Programs that do not end by themselves. Each says the time of the system's monotonic clock when it reaches its limit:
/// the memory bomb as it grows, the others when they start, from where their wall time counts.
fn kinds() -> [(&'static str, &'static str, Limits); 3] {
    let limits = Limits { wall_ms: 300, cpu_ms: 60_000, processes: 64, ..Limits::default() };
    [
        ("fork bomb", FORK_BOMB, limits),
        ("daemon", DAEMON, limits),
        ("memory bomb", MEMORY_BOMB, Limits { wall_ms: 20_000, memory_bytes: 256 << 20, ..limits }),
    ]
}

const FORK_BOMB: &str = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n";
const DAEMON: &str = "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
    if os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\nwhile True: time.sleep(1)\n";
const MEMORY_BOMB: &str = "import time\nheld = []\nwhile True:\n    held.append(bytearray(b'x') * (4 << 20))\n    \
    print(len(held) * 4, time.monotonic(), flush=True)\n";

/// Milliseconds from the limit to the return of the run, when everything is dead.
fn dead_after(sandbox: &mut Sandbox, code: &str, limits: Limits) -> Result<f64, String> {
    let execution = Execution { limits, ..Execution::of("python", code) };
    let mut said = String::new();
    let began = Instant::now();
    let before = monotonic()?;
    let (outcome, _) = sandbox.run(&execution, &mut |line: Line| {
        if line.kind == "stdout" {
            said.push_str(line.text.as_deref().unwrap_or_default());
        }
    });
    let took = began.elapsed().as_secs_f64() * 1e3;
    match outcome.status {
        Status::Timeout => Ok(took - limits.wall_ms as f64),
        Status::Memory => {
            let bound = limits.memory_bytes as f64 / f64::from(1 << 20);
            let past = said.lines().filter_map(|line| line.split_once(' ')).find_map(|(megabytes, at)| {
                (megabytes.parse::<f64>().ok()? >= bound).then(|| at.parse::<f64>().ok())?
            });
            // A bomb that was ended before it could say that it had passed its limit was ended in time.
            Ok(past.map_or(0.0, |at| took - (at - before) * 1e3).max(0.0))
        }
        other => Err(format!("a runaway ended as {other:?}: {outcome:?}")),
    }
}

/// The clock that Python's `time.monotonic` reads, in seconds.
fn monotonic() -> Result<f64, String> {
    let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Ok(uptime.tv_sec as f64 + uptime.tv_nsec as f64 / 1e9)
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
