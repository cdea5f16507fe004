//! A user id of an environment's own, and the end of whatever still runs under it or is left of it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, geteuid, getpid, pidfd_open, pidfd_send_signal};

/// Ids that Linux distributions give to nobody: the upper half of systemd's table of ranges
/// (<https://systemd.io/UIDS-GIDS/>), and, where a container has only 16 bits of ids, those above its dynamic users.
const RANGES: [(u32, u32); 2] = [(0x7000_0000, 0x7fff_ffff), (65_400, 65_500)];
/// How long what is left of an environment may take to die.
const PATIENCE: Duration = Duration::from_secs(2);

/// An id that no process has; `None` where we are not root and cannot give one.
pub fn own() -> Result<Option<u32>, String> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let mapped = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let range = RANGES.into_iter().find(|range| is_mapped(&mapped, *range));
    let (first, last) = range.ok_or("this machine has no user ids that could be an environment's own")?;
    for _ in 0..64 {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|error| format!("the system gives no random bytes: {error}"))?;
        let id = first + u32::from_ne_bytes(random) % (last - first + 1);
        if processes().all(|process| process.user != id) {
            return Ok(Some(id));
        }
    }
    Err("every user id that could be an environment's own is in use".to_owned())
}

/// Whether all of a range can be used: lines of `/proc/self/uid_map` are the first id here, the first outside, and how
/// many.
fn is_mapped(map: &str, (first, last): (u32, u32)) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u64>().ok());
        let (Some(Some(inside)), _, Some(Some(length))) = (numbers.next(), numbers.next(), numbers.next())
        else {
            return false;
        };
        inside <= u64::from(first) && u64::from(last) < inside + length
    })
}

/// Keeps others of our user from reading the secret out of this process.
pub fn become_unreadable() {
    // Where it is refused, environments have users of their own or barriers that keep them from it.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Processes whose parent has died become ours, so that [`end`] finds them where ids do not tell.
pub fn adopt_orphans() {
    // What follows checks whether it worked: a process that is not found is not ended.
    let _ = rustix::process::set_child_subreaper(Some(getpid()));
}

/// Ends every process of an id, or, without one, every child of ours that is none of `known`, until there is none.
/// `false` where one would not die. Blocks for a moment.
pub fn end(user: Option<u32>, known: &BTreeSet<u32>) -> bool {
    let start = Instant::now();
    let ours = getpid().as_raw_nonzero().get().unsigned_abs();
    let wanted = |process: &Process| match user {
        Some(id) => process.user == id,
        None => process.parent == ours && !known.contains(&process.id),
    };
    loop {
        let mut alive = false;
        for process in processes().filter(wanted) {
            if process.zombie {
                reap(process.id);
                continue;
            }
            alive = true;
            kill(process.id, user);
        }
        if !alive {
            return true;
        }
        if start.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// By a descriptor, looked at again once it is held: an id may have been given to another process meanwhile.
fn kill(id: u32, user: Option<u32>) {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    let Some(Ok(held)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else { return };
    let still = process(id).is_some_and(|process| user.is_none_or(|user| process.user == user));
    if still {
        let _ = pidfd_send_signal(held, Signal::KILL);
    }
}

fn reap(id: u32) {
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG);
    }
}

struct Process {
    id: u32,
    parent: u32,
    user: u32,
    zombie: bool,
}

fn processes() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| process(entry.file_name().to_str()?.parse().ok()?))
}

/// `State`, `PPid` and the real id of `Uid`, of proc(5)'s `status`.
fn process(id: u32) -> Option<Process> {
    let status = read(id).ok()?;
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.split_whitespace().next()
    };
    Some(Process {
        id,
        parent: field("PPid:")?.parse().ok()?,
        user: field("Uid:")?.parse().ok()?,
        zombie: matches!(field("State:")?, "Z" | "X"),
    })
}

fn read(id: u32) -> io::Result<String> {
    // A process's name may have any bytes.
    fs::read(format!("/proc/{id}/status")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_looked_up_in_the_map() {
        let whole = "         0          0 4294967295\n";
        assert!(RANGES.iter().all(|range| is_mapped(whole, *range)));
        let container = "0 100000 65536\n";
        assert_eq!(RANGES.map(|range| is_mapped(container, range)), [false, true]);
        let rootless = "0 1000 1\n";
        assert_eq!(RANGES.map(|range| is_mapped(rootless, range)), [false, false]);
        assert!(!is_mapped("", RANGES[0]));
    }

    #[test]
    fn we_are_among_the_processes() {
        let own = process(std::process::id()).unwrap();
        assert_eq!((own.user, own.zombie), (geteuid().as_raw(), false));
        assert!(processes().any(|process| process.id == own.id));
    }
}
