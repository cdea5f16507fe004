//! What there is at one moment: processes, files, and the state of what is under test. Read as root of the stage, from
//! outside of every barrier.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::PROGRAMS;

/// Programs keep a file of this name open in every process that they start.
const MARK: &str = "survivor-mark";
/// Where anything can be written.
const WRITABLE: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// What the local sandbox calls its copy of itself.
const COPY: &str = "/environment";
/// Entries that are named; more are only counted.
const NAMED: usize = 8;

/// Looks. `before` are processes that were there before the run. `spares`: environments or interpreters are made ready
/// for later runs meanwhile, so that only what carries a mark is told as the run's own.
pub fn take(keeper: i32, before: &BTreeSet<i32>, spares: bool) -> Value {
    let mut survivors = Vec::new();
    for pid in pids() {
        let Some(seen) = Process::read(pid) else { continue };
        let ours = pid == 1 || is_ours(&seen.program);
        let strange = !spares && !before.contains(&pid) && !ours;
        if !seen.zombie && (seen.marked || strange) {
            survivors.push(format!("{pid} {} {}", seen.program, seen.command));
        }
    }
    let left = left();
    let disk = rustix::fs::statvfs("/tmp").map(|seen| (seen.f_blocks - seen.f_bfree) * seen.f_frsize);
    json!({
        "survivors": survivors.iter().take(NAMED).collect::<Vec<_>>(),
        "left": left.iter().take(NAMED).collect::<Vec<_>>(),
        "left_count": left.len(),
        "disk_bytes": disk.unwrap_or_default(),
        "keeper": state(keeper),
        "processes": pids().count(),
    })
}

/// Every process.
pub fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The processes of what is under test.
pub fn programs() -> Vec<i32> {
    let ours = |pid: &i32| Process::read(*pid).is_some_and(|seen| is_ours(&seen.program));
    pids().filter(|pid| *pid != 1).filter(ours).collect()
}

/// The local sandbox keeps a copy of itself that nobody can read, for its environments.
fn is_ours(program: &str) -> bool {
    program.starts_with(PROGRAMS)
        || program.starts_with(concat!("/tmp", "/opencode-sandbox")) && program.ends_with(COPY)
}

/// Of these, the environments of the local sandbox: the children of the first. What they have forked is theirs.
pub fn environments() -> Vec<i32> {
    let programs = programs();
    let first = programs.iter().copied().filter(|pid| parent(*pid) == 1).min();
    programs.into_iter().filter(|pid| Some(parent(*pid)) == first).collect()
}

fn parent(pid: i32) -> i32 {
    let stat = read(pid, "stat");
    let field = stat.rsplit(") ").next().and_then(|rest| rest.split_whitespace().nth(1));
    field.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Whether a marked process runs.
pub fn is_marked() -> bool {
    pids().filter_map(Process::read).any(|seen| seen.marked && !seen.zombie)
}

/// How a process is, as far as another one can change it.
pub fn state(pid: i32) -> Value {
    let status = read(pid, "status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().unwrap_or_default().to_owned()
    };
    let kilobytes = |name: &str| field(name).parse::<u64>().unwrap_or_default() * 1024;
    let stat = read(pid, "stat");
    let nice = stat.rsplit(") ").next().and_then(|rest| rest.split_whitespace().nth(16)).unwrap_or_default();
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().count();
    json!({
        "pid": pid,
        "alive": !matches!(field("State:").as_str(), "" | "Z" | "X"),
        "stopped": matches!(field("State:").as_str(), "T" | "t"),
        "changeable": format!("{} {} {nice}", limits(pid), field("Cpus_allowed:")),
        "peak_bytes": kilobytes("VmHWM:"),
        "resident_bytes": kilobytes("VmRSS:"),
        "files": files,
    })
}

/// Without core dumps: an environment turns them off when it starts.
fn limits(pid: i32) -> String {
    let limits = read(pid, "limits");
    limits.lines().filter(|line| !line.starts_with("Max core")).collect()
}

struct Process {
    program: String,
    command: String,
    zombie: bool,
    marked: bool,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        let stat = read(pid, "stat");
        let state = stat.rsplit(") ").next()?.chars().next()?;
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok();
        let program = program.map(|path| path.display().to_string()).unwrap_or_default();
        let command = read(pid, "cmdline").replace('\0', " ").chars().take(80).collect();
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let marked = open
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|path| path.to_string_lossy().contains(MARK));
        Some(Self { program, command, zombie: matches!(state, 'Z' | 'X'), marked })
    }
}

/// Whether files lie around that no run has left: spares that are being made ready need some for a moment.
pub fn is_clean() -> bool {
    left().is_empty()
}

/// Files and links that lie where anything can be written. Folders and sockets are the sandbox's own to keep.
fn left() -> Vec<String> {
    let mut found = Vec::new();
    for folder in WRITABLE {
        walk(Path::new(folder), 0, &mut found);
    }
    found
}

fn walk(folder: &Path, depth: u32, found: &mut Vec<String>) {
    use std::os::unix::fs::FileTypeExt as _;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth < 64 {
            walk(&entry.path(), depth + 1, found);
        } else if !kind.is_socket() && !is_ours(&entry.path().display().to_string()) && found.len() < 100_000
        {
            found.push(entry.path().display().to_string());
        }
    }
}

fn read(pid: i32, file: &str) -> String {
    let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
