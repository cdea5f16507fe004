//! What stands in for a process namespace on Lambda: ending every other process of this user.
//!
//! `kill(-1)` ends everything that this user may end, so it is only sent where that was shown to be ours: never with
//! the powers of root, only where nobody else ran as this user when the sandbox started, and only while everybody who
//! does began after us and descends from us, or was orphaned: Lambda refuses what would keep orphans below us, so theirs
//! is the one parent that says nothing.

use std::collections::{BTreeMap, BTreeSet};
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
    let parents = alive.iter().map(|(pid, stat)| (*pid, stat.parent)).collect();
    // Processes come and go while they are listed: a parent that is not among them may have ended, or just begun.
    let may_be_ours = |pid: i32| {
        let ours = |stat: Stat| stat.is_zombie() || (stat.started >= began && processes::is_reachable(pid));
        pid != 0 && processes::stat(pid).is_none_or(ours)
    };
    alive.iter().all(|(_, stat)| stat.started >= began) && all_descend(me, &parents, may_be_ours)
}

/// Whether each of these processes leads up to `me`, or to process 1, which orphans go to.
fn all_descend(me: i32, parents: &BTreeMap<i32, i32>, may_be_ours: impl Fn(i32) -> bool) -> bool {
    let mut ours = BTreeSet::from([me, 1]);
    for start in parents.keys() {
        let (mut line, mut at) = (Vec::new(), *start);
        while !ours.contains(&at) && line.len() <= parents.len() {
            let Some(parent) = parents.get(&at) else {
                if !may_be_ours(at) {
                    return false;
                }
                break;
            };
            line.push(at);
            at = *parent;
        }
        ours.extend(line);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::all_descend;

    #[test]
    fn only_our_own_and_orphans_are_ended() {
        // We are 10; 90 is somebody else's, 91 has ended.
        let descend =
            |parents: &[(i32, i32)]| all_descend(10, &parents.iter().copied().collect(), |pid| pid == 91);
        assert!(descend(&[]));
        assert!(descend(&[(11, 10), (12, 11), (13, 12), (14, 11)]));
        assert!(descend(&[(11, 10), (20, 1), (21, 20)]), "orphans and theirs");
        assert!(descend(&[(11, 91)]), "whose parent ended while we looked");
        assert!(!descend(&[(11, 10), (30, 90)]), "started by another process");
        assert!(!descend(&[(30, 31), (31, 90)]));
        assert!(!descend(&[(30, 0)]), "from outside this namespace");
    }
}
