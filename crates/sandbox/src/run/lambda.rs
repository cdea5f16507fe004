//! What stands in for a process namespace on Lambda: ending every other process of this user.
//!
//! `kill(-1)` ends everything that this user may end, so it is only sent where that was shown to be ours: never with
//! the powers of root, only where nobody else ran as this user when the sandbox started, and only while everybody who
//! does began after us.

use std::time::{Duration, Instant};

use rustix::process::WaitOptions;

use super::watch::processes::{self, Stat, others};

const PATIENCE: Duration = Duration::from_secs(3);

/// Why ending every process of this user is not safe here.
pub fn unsafe_here() -> Option<&'static str> {
    if rustix::process::geteuid().is_root() || rustix::process::getuid().is_root() || has_capabilities() {
        return Some("it never runs with the powers of root");
    }
    let proc = std::fs::read_link("/proc/self").ok();
    if proc.as_deref() != Some(std::path::Path::new(&std::process::id().to_string())) {
        return Some("/proc does not show the processes that a signal would reach");
    }
    if others().iter().any(|(_, stat)| !stat.is_zombie()) {
        return Some("other processes run as the same user");
    }
    None
}

fn has_capabilities() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|value| u64::from_str_radix(value.trim(), 16).ok()) != Some(0)
}

/// Ends every other process of this user and confirms it. `false` where it may not be sent, or something stays.
pub fn end_everyone() -> bool {
    let until = Instant::now() + PATIENCE;
    loop {
        let alive: Vec<_> = others().into_iter().filter(|(_, stat)| !stat.is_zombie()).collect();
        if alive.is_empty() {
            return true;
        }
        if Instant::now() > until || !all_ours(&alive) {
            return false;
        }
        // SAFETY: reaches only processes that were just found to be ours.
        unsafe { libc::kill(-1, libc::SIGKILL) };
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Reaps what was orphaned, where this process is the one that orphans go to.
pub fn reap_orphans() {
    while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
}

fn all_ours(alive: &[(i32, Stat)]) -> bool {
    let me = std::process::id().cast_signed();
    let Some(began) = processes::stat(me).map(|stat| stat.started) else { return false };
    alive.iter().all(|(_, stat)| stat.started >= began)
}
