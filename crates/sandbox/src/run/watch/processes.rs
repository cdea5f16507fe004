//! What the processes of a run use, read from `/proc`.

use std::collections::BTreeSet;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::process::Pid;

/// Open files of one process that are looked at; it may have no more.
const DESCRIPTORS: usize = 256;

/// Of one process, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Pages that are resident.
    pub pages: u64,
    /// Processor time in ticks, with that of children that were waited for.
    pub ticks: u64,
    /// Processes that are no zombies.
    pub alive: u64,
}

/// A line of `/proc/<pid>/stat`, as far as it is needed (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub state: u8,
    pub parent: i32,
    pub ticks: u64,
    pub threads: u64,
    pub started: u64,
    pub pages: u64,
}

/// Which processes belong to a run.
#[derive(Clone, Copy, Debug)]
pub enum Members {
    /// Everything below its leader, and of the leader what its dead children have used.
    Below(Pid),
    /// Every other process of this user.
    Everyone,
}

impl Members {
    /// What they use together.
    pub fn usage(self) -> Usage {
        let mut usage = Usage::default();
        self.list().into_iter().filter_map(stat).for_each(|stat| usage.add(&stat));
        if let Self::Below(leader) = self {
            usage.ticks += stat(leader.as_raw_nonzero().get()).map_or(0, |leader| leader.ticks);
        }
        usage
    }

    /// Bytes of files that they hold open and that have no name any more.
    pub fn nameless(self) -> u64 {
        let mut seen = BTreeSet::new();
        let mut bytes = 0_u64;
        for pid in self.list() {
            let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            for file in open.take(DESCRIPTORS) {
                // Follows the link, which opens nothing.
                let Ok(found) = rustix::fs::stat(file.path()) else { continue };
                let nameless = found.st_nlink == 0 && FileType::from_raw_mode(found.st_mode).is_file();
                if nameless && seen.insert((found.st_dev, found.st_ino)) {
                    bytes = bytes.saturating_add(u64::try_from(found.st_blocks).unwrap_or(0) * 512);
                }
            }
        }
        bytes
    }

    fn list(self) -> Vec<i32> {
        match self {
            Self::Below(leader) => descendants(leader),
            Self::Everyone => others().into_iter().map(|(pid, _)| pid).collect(),
        }
    }
}

/// Every process that a signal of this user could reach, but this one and process 1, which `kill(-1)` never does.
pub fn others() -> Vec<(i32, Stat)> {
    let me = std::process::id().cast_signed();
    all()
        .filter(|pid| *pid != me && *pid != 1 && is_reachable(*pid))
        .filter_map(|pid| Some((pid, stat(pid)?)))
        .collect()
}

/// Whether a signal of ours could reach it: kill(2) compares our real and effective with its real and saved user.
pub fn is_reachable(pid: i32) -> bool {
    let ours = [rustix::process::getuid().as_raw(), rustix::process::geteuid().as_raw()];
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    let ids: Vec<u32> = line.split_ascii_whitespace().filter_map(|id| id.parse().ok()).collect();
    [0, 2].into_iter().any(|index| ids.get(index).is_some_and(|id| ours.contains(id)))
}

impl Usage {
    /// With one more process.
    pub fn add(&mut self, stat: &Stat) {
        self.ticks += stat.ticks;
        if !stat.is_zombie() {
            self.pages += stat.pages;
            self.alive += 1;
        }
    }
}

impl Stat {
    /// Whether nothing of it runs any more.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    fn parse(line: &str) -> Option<Self> {
        // The name stands in parentheses and may itself hold anything.
        let (_, rest) = line.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            state: *fields.first()?.as_bytes().first()?,
            parent: fields.get(1)?.parse().ok()?,
            ticks: (11..=14).map(number).sum::<Option<u64>>()?,
            threads: number(17)?,
            started: number(19)?,
            pages: number(21)?,
        })
    }
}

/// Every process below `root`, without it.
pub fn descendants(root: Pid) -> Vec<i32> {
    if !children_are_listed() {
        return descendants_by_parent(root);
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = vec![root.as_raw_nonzero().get()];
    while let Some(pid) = next.pop() {
        for child in children(pid) {
            if seen.insert(child) {
                found.push(child);
                next.push(child);
            }
        }
    }
    found
}

/// The children of a process, each of which is listed under the thread that made it.
fn children(pid: i32) -> Vec<i32> {
    let mut children = Vec::new();
    let threads = stat(pid).map_or(0, |stat| stat.threads);
    if threads <= 1 {
        listed(&format!("/proc/{pid}/task/{pid}/children"), &mut children);
    } else if let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) {
        for task in tasks.flatten() {
            listed(&format!("/proc/{pid}/task/{}/children", task.file_name().display()), &mut children);
        }
    }
    children
}

fn listed(path: &str, children: &mut Vec<i32>) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    children.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
}

/// Whether this kernel has `children` files (`CONFIG_PROC_CHILDREN`).
fn children_are_listed() -> bool {
    static LISTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *LISTED.get_or_init(|| std::path::Path::new("/proc/thread-self/children").exists())
}

fn descendants_by_parent(root: Pid) -> Vec<i32> {
    let all: Vec<(i32, i32)> = all().filter_map(|pid| Some((pid, stat(pid)?.parent))).collect();
    let mut found = vec![root.as_raw_nonzero().get()];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(all.iter().filter(|(_, above)| *above == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

/// Every process that there is.
pub fn all() -> impl Iterator<Item = i32> {
    let folder = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    folder.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// `None` where there is no such process.
pub fn stat(pid: i32) -> Option<Stat> {
    let file =
        rustix::fs::openat(CWD, format!("/proc/{pid}/stat"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .ok()?;
    let mut line = [0; 1024];
    let length = rustix::io::read(&file, &mut line).ok()?;
    // The name may be cut inside a letter.
    Stat::parse(&String::from_utf8_lossy(line.get(..length)?))
}

/// How many processes and threads this process's user has.
pub fn of_this_user() -> u64 {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::getuid().as_raw();
    let theirs =
        all().filter(|pid| std::fs::metadata(format!("/proc/{pid}")).is_ok_and(|found| found.uid() == user));
    theirs.filter_map(stat).map(|stat| stat.threads.max(1)).sum()
}
