//! Measures the engine on this machine: cold and warm runs beside bare Python, and how long after its limit a runaway
//! is dead, collected and wiped. Run it in release, on a machine that does nothing else.

#![allow(clippy::print_stdout)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use opencode_core::sandbox::Execution;
use opencode_sandbox::run::{Sandbox, Settings, Trust};

const RUNS: usize = 200;

fn main() {
    let mut settings = Settings { network_namespace: !has("--no-network-namespace"), ..Settings::default() };
    if let Some(base) = value("--base") {
        settings.base = base.into();
    }
    settings.warm = vec!["python".to_owned(), "javascript".to_owned()];
    let (python, node) = (settings.python.clone().unwrap(), settings.node.clone());
    let mut sandbox = Sandbox::new(settings).unwrap();
    println!("{:?}", sandbox.isolation());
    let runs = value("--runs").map_or(RUNS, |runs| runs.parse().unwrap());
    let print = Execution::of("python", "print(1)");
    let log = Execution::of("javascript", "console.log(1)");
    if has("--memory") {
        return memory(&mut sandbox, &print, runs);
    }
    let mut times: [Vec<(Duration, Duration)>; 5] = Default::default();
    for _ in 0..runs {
        times[0].push(timed(|| bare(Command::new(&python).args(["-c", "print(1)"]))));
        times[1].push(timed(|| run(&mut sandbox, &print, false)));
        sandbox.prepare();
        // Time for what was started ahead to come to where it waits.
        std::thread::sleep(Duration::from_millis(60));
        times[2].push(timed(|| run(&mut sandbox, &print, true)));
        if let Some(node) = &node {
            times[3].push(timed(|| bare(Command::new(node).args(["-e", "console.log(1)"]))));
            times[4].push(timed(|| run(&mut sandbox, &log, true)));
        }
    }
    for (name, times) in
        ["bare python", "cold python", "warm python", "bare node", "warm node"].iter().zip(times)
    {
        show(name, times.iter().map(|(wall, _)| *wall).collect());
        show("  processor", times.iter().map(|(_, processor)| *processor).collect());
    }
    for (name, code) in RUNAWAYS {
        let mut execution = Execution::of("python", code);
        execution.limits.wall_ms = 300;
        execution.limits.memory_bytes = 256 << 20;
        let over = (0..runs).map(|_| {
            let began = Instant::now();
            let (outcome, trust) = sandbox.run(&execution, &mut |_| {});
            assert_eq!(trust, Trust::Clean);
            began.elapsed().saturating_sub(Duration::from_secs_f64(outcome.duration_ms / 1000.0))
        });
        show(name, over.collect());
    }
}

/// Each with a limit that it crosses.
const RUNAWAYS: [(&str, &str); 3] = [
    ("fork bomb", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"),
    (
        "daemon",
        "import os, signal, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        \
         signal.signal(15, signal.SIG_IGN)\n        while True: pass\n    os._exit(0)\ntime.sleep(60)",
    ),
    ("memory bomb", "a = []\nwhile True: a.append(b'x' * (1 << 20))"),
];

fn memory(sandbox: &mut Sandbox, execution: &Execution, runs: usize) {
    for count in 0..=runs {
        if count % (runs / 4).max(1) == 0 {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let lines = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
            let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
            println!("{count} runs: {:?}, {open} descriptors", lines.collect::<Vec<_>>());
        }
        run(sandbox, execution, count % 2 == 1);
        if count % 2 == 0 {
            sandbox.prepare();
        }
    }
}

fn run(sandbox: &mut Sandbox, execution: &Execution, warm: bool) {
    let (outcome, trust) = sandbox.run(execution, &mut |_| {});
    assert_eq!(
        (outcome.stdout.as_str(), trust, outcome.isolation.warm),
        ("1\n", Trust::Clean, warm),
        "{outcome:?}"
    );
}

fn bare(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(done.stdout, b"1\n");
}

/// Wall time, and the processor time of this process and of those that it waited for, which other programs on the
/// machine do not change.
fn timed(run: impl FnOnce()) -> (Duration, Duration) {
    let (began, used) = (Instant::now(), processor());
    run();
    (began.elapsed(), processor() - used)
}

fn processor() -> Duration {
    [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN]
        .map(|whose| {
            // SAFETY: all zeros is a value of this plain structure, which outlives the call.
            let usage = unsafe {
                let mut usage: libc::rusage = std::mem::zeroed();
                libc::getrusage(whose, &raw mut usage);
                usage
            };
            [usage.ru_utime, usage.ru_stime]
                .map(|time| Duration::new(time.tv_sec.unsigned_abs(), time.tv_usec as u32 * 1000))
                .iter()
                .sum::<Duration>()
        })
        .iter()
        .sum()
}

fn show(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let Some(worst) = times.last() else { return };
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1000.0;
    println!(
        "{name:12} p50 {:7.2} ms  p90 {:7.2} ms  worst {:7.2} ms",
        at(50),
        at(90),
        worst.as_secs_f64() * 1000.0
    );
}

fn has(flag: &str) -> bool {
    std::env::args().any(|arg| arg == flag)
}

fn value(flag: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != flag).nth(1)
}
