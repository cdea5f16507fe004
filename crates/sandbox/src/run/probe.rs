//! What a machine really lets a sandbox do: every barrier is raised in a forked child, which then tries what it must
//! not be able to do.

use std::ffi::c_int;
use std::path::Path;

use opencode_core::sandbox::{Isolation, Limits, Profile};

use super::barriers::landlock::{self, Place, Right};
use super::barriers::{Barriers, Full, limits, namespaces::Namespaces, namespaces::Shared, seccomp};
use super::folder::Folder;
use super::settings::Settings;
use super::spawn::{self, Guest, Message};
use super::{kill, lambda, languages, wipe};

/// Why no program is run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Finds the barriers.
pub fn barriers(settings: &Settings) -> Result<(Barriers, Isolation), Refused> {
    let full = match settings.profile {
        Some(Profile::Lambda) => Err("it was not asked for".to_owned()),
        _ => full(settings),
    };
    let why = match full {
        Ok(found) => return Ok(found),
        Err(why) if settings.profile == Some(Profile::Full) => {
            return Err(Refused(format!("the full profile cannot be had: {why}")));
        }
        Err(why) => why,
    };
    match lambda::unsafe_here() {
        None => Ok((Barriers::Lambda, isolation(&Barriers::Lambda, 0))),
        Some(unsafe_here) => Err(Refused(format!(
            "no program can be run safely here: the full profile cannot be had ({why}), and ending every process of \
             this user, which the lambda profile does, is not safe here: {unsafe_here}"
        ))),
    }
}

fn full(settings: &Settings) -> Result<(Barriers, Isolation), String> {
    let version = landlock::version();
    if version == 0 {
        return Err("this kernel has no Landlock".to_owned());
    }
    let filters = seccomp::filters().map_err(|error| format!("no filter of system calls: {error}"))?;
    let root = rustix::process::geteuid().is_root();
    let id = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let mut full = Full {
        landlock: version,
        places: places(settings),
        filters,
        namespaces: Namespaces::NONE,
        shared: None,
        identity: root.then(identity),
        maps: [format!("{id} {id} 1"), format!("{group} {group} 1")].map(String::into_bytes),
    };
    let mut why = String::new();
    for namespaces in Namespaces::candidates(settings.network_namespace) {
        if namespaces.user && root {
            continue;
        }
        full.namespaces = namespaces;
        full.shared = None;
        if root && (namespaces.network || namespaces.queues) {
            match Shared::make(namespaces.network) {
                Ok(shared) => full.shared = Some(shared),
                Err(_) => continue,
            }
        }
        let barriers = Barriers::Full(full);
        match try_full(&settings.base, &barriers) {
            Ok(found) if found & ESCAPES == 0 => {
                let isolation = isolation(&barriers, found);
                return Ok((barriers, isolation));
            }
            Ok(found) => why = format!("a child behind every barrier still could {}", escaped(found)),
            Err(error) => why = error,
        }
        let Barriers::Full(back) = barriers else { break };
        full = back;
    }
    Err(why)
}

/// A user that nobody else is: none is made with such a number, and no two sandboxes of one machine get the same.
fn identity() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    const FIRST: u32 = 0x6000_0000;
    const PROCESSES: u32 = 1 << 22;
    static MADE: AtomicU32 = AtomicU32::new(0);
    let sandbox = MADE.fetch_add(1, Ordering::Relaxed) % 64;
    FIRST + sandbox * PROCESSES + std::process::id() % PROCESSES
}

fn places(settings: &Settings) -> Vec<Place> {
    let usual = languages::READ.iter().map(Path::new).map(Path::to_path_buf);
    let read = usual.chain(languages::interpreters(settings)).chain(settings.packages.iter().cloned());
    let read =
        read.chain(settings.readable.iter().cloned()).filter_map(|path| Place::open(&path, Right::Read));
    let devices = languages::DEVICES.iter().filter_map(|path| Place::open(Path::new(path), Right::Device));
    read.chain(devices).collect()
}

fn try_full(base: &Path, barriers: &Barriers) -> Result<c_int, String> {
    let owner = barriers.full().and_then(|full| full.identity);
    let folder = Folder::make(base, owner).map_err(|error| format!("no folder for a run: {error}"))?;
    let limits = limits::of(&Limits::default(), 0);
    let found = spawn::probe(&folder, &limits, barriers, attempt)
        .map_err(|error| format!("a process could not be forked: {error}"))
        .and_then(|mut guest| {
            let found = answer(&guest);
            if kill::end(&mut guest, barriers) { found } else { Err("a child would not end".to_owned()) }
        });
    let wiped = wipe::remove(folder.path());
    found.and_then(|found| {
        wiped.map(|()| found).map_err(|error| format!("a folder could not be wiped: {error}"))
    })
}

fn answer(guest: &Guest) -> Result<c_int, String> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let wait = Timespec { tv_sec: 5, tv_nsec: 0 };
    let _ = poll(&mut [PollFd::new(&guest.status, PollFlags::IN)], Some(&wait));
    match guest.message() {
        Some(Message::Probed(found)) => Ok(found),
        Some(Message::Failed(stage, errno)) => {
            let error = std::io::Error::from_raw_os_error(errno);
            Err(format!("a child failed {}: {error}", stage.text()))
        }
        _ => Err("a child ended before it could say what it may do".to_owned()),
    }
}

const READS_FILES: c_int = 1;
const READS_US: c_int = 2;
const SIGNALS_US: c_int = 4;
const HAS_SOCKETS: c_int = 8;
const TRACES: c_int = 16;
const ESCAPES: c_int = READS_FILES | READS_US | SIGNALS_US | HAS_SOCKETS | TRACES;

fn escaped(found: c_int) -> &'static str {
    [
        (READS_FILES, "read /etc/passwd"),
        (READS_US, "read the sandbox's own environment"),
        (SIGNALS_US, "send signals to the sandbox"),
        (HAS_SOCKETS, "open a socket"),
        (TRACES, "trace a process"),
    ]
    .into_iter()
    .find(|(bit, _)| found & bit != 0)
    .map_or("do nothing", |(_, text)| text)
}

/// Runs in the child behind every barrier. Does not allocate.
fn attempt() -> c_int {
    let mut found = 0;
    // SAFETY: plain system calls with numbers and NUL-terminated paths; what they open ends with the process.
    unsafe {
        if libc::open(c"/etc/passwd".as_ptr(), libc::O_RDONLY) >= 0 {
            found |= READS_FILES;
        }
        // Process 1 is the leader, or the machine's own where there is no process namespace.
        if libc::open(c"/proc/1/environ".as_ptr(), libc::O_RDONLY) >= 0 {
            found |= READS_US;
        }
        if libc::kill(libc::getppid(), 0) == 0 {
            found |= SIGNALS_US;
        }
        if libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) >= 0 {
            found |= HAS_SOCKETS;
        }
        if libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) == 0 {
            found |= TRACES;
        }
    }
    found
}

fn isolation(barriers: &Barriers, found: c_int) -> Isolation {
    let full = barriers.full();
    let namespaces = full.map_or(Namespaces::NONE, |full| full.namespaces);
    Isolation {
        profile: if full.is_some() { Profile::Full } else { Profile::Lambda },
        seccomp: full.is_some(),
        landlock_abi: full.map_or(0, |full| full.landlock),
        no_new_privs: full.is_some(),
        user_namespace: namespaces.user,
        pid_namespace: namespaces.process,
        network_namespace: namespaces.network,
        separate_user: full.is_some_and(|full| full.identity.is_some()),
        // A child has tried. Of the lambda profile the bootstrap finds out by itself.
        nondumpable: full.is_some() && found & READS_US == 0,
        warm: false,
        recycled: false,
    }
}
