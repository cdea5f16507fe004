//! What happens in a fork, before the program. The process that forked may have had other threads, so nothing here
//! allocates, locks or panics: everything was made ready before.
//!
//! A fork is first the *leader*: it opens no file and runs no program, it starts the *main* process, reaps whatever
//! is orphaned, and says how the main process ended. In a process namespace it is process 1, so that its end is the
//! end of all; without one it is the reaper of all that descends from it. On Lambda, where `prctl` fails, there is no
//! leader.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::os::fd::RawFd;

use seccompiler::BpfProgram;

use super::message::{Message, Stage};
use crate::run::barriers::limits;
use crate::run::barriers::namespaces::{Namespaces, Shared};

/// Everything that a fork needs.
pub struct Child<'a> {
    pub program: &'a CStr,
    pub argv: &'a [*const c_char],
    pub envp: &'a [*const c_char],
    pub folder: &'a CStr,
    /// Standard input, output and error.
    pub pipes: [RawFd; 3],
    /// Where the harness reads its program.
    pub feed: Option<RawFd>,
    /// Where messages go.
    pub status: RawFd,
    pub limits: &'a limits::Values,
    /// `None` in the lambda profile.
    pub barriers: Option<Raised<'a>>,
    /// What is done in place of running the program: see [`super::probe`].
    pub probe: Option<fn() -> c_int>,
}

/// The barriers of the full profile.
pub struct Raised<'a> {
    pub namespaces: Namespaces,
    pub shared: Option<&'a Shared>,
    /// The user and group to become.
    pub identity: Option<u32>,
    /// The lines of `uid_map` and `gid_map`.
    pub maps: [&'a [u8]; 2],
    pub ruleset: RawFd,
    pub filters: &'a [BpfProgram; 2],
}

/// Descriptors 0 to 2 are the program's own; this is the harness's, which closes it.
const FEED: RawFd = 3;
/// Closed by `exec`.
const STATUS: RawFd = 4;

/// Forks, with new namespaces where `flags` say so, and gives the child's process id.
pub fn fork(child: &Child<'_>) -> std::io::Result<libc::pid_t> {
    let flags = child.barriers.as_ref().map_or(0, |raised| raised.namespaces.flags());
    match clone(flags) {
        0 => match &child.barriers {
            Some(raised) => lead(child, raised),
            None => become_main(child),
        },
        -1 => Err(std::io::Error::last_os_error()),
        pid => Ok(pid),
    }
}

/// Forks a process in new namespaces that only waits to be ended.
pub fn fork_waiting(flags: c_int) -> libc::pid_t {
    let pid = clone(flags);
    if pid == 0 {
        // SAFETY: plain system calls; the process ends with the one that made it.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
    }
    pid
}

/// `clone` used as a fork: a copy of the caller, on a copy of its stack.
fn clone(flags: c_int) -> libc::pid_t {
    // SAFETY: without CLONE_VM the child has its own copy of all memory; a null stack means the same address in it.
    // The child calls nothing that another thread's lock could hold up.
    unsafe { libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0) as libc::pid_t }
}

fn lead(child: &Child<'_>, raised: &Raised<'_>) -> ! {
    // Of a process that cannot be read, what is in its /proc belongs to root, and this is a copy of one. Nothing of the
    // run's is alive yet that could read it.
    // SAFETY: a plain system call with numbers.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1) };
    if raised.namespaces.user {
        let [users, groups] = raised.maps;
        if !(write_file(c"/proc/self/setgroups", b"deny")
            && write_file(c"/proc/self/uid_map", users)
            && write_file(c"/proc/self/gid_map", groups))
        {
            fail(child.status, Stage::Namespaces);
        }
    }
    if raised.shared.is_some_and(|shared| !shared.enter()) {
        fail(child.status, Stage::Namespaces);
    }
    let first_to_be_ended = write_file(c"/proc/self/oom_score_adj", b"1000");
    // SAFETY: plain system calls with numbers.
    let leads = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0
            && libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) == 0
            && libc::prctl(libc::PR_SET_DUMPABLE, 0) == 0
            && libc::setsid() > 0
    };
    if !first_to_be_ended || !leads {
        fail(child.status, Stage::Leader);
    }
    match clone(0) {
        0 => become_main(child),
        -1 => fail(child.status, Stage::Leader),
        main => reap(child.status, main),
    }
}

/// Reaps until nothing is left, and says once how `main` ended.
fn reap(status: RawFd, main: libc::pid_t) -> ! {
    close_all(0, status.cast_unsigned().saturating_sub(1));
    close_all(status.cast_unsigned().saturating_add(1), c_uint::MAX);
    loop {
        let mut ended = 0;
        // SAFETY: `ended` outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut ended, 0) };
        if pid == main {
            send(status, Message::Ended(ended));
        }
        if pid == -1 && errno() != libc::EINTR {
            exit(0);
        }
    }
}

fn become_main(child: &Child<'_>) -> ! {
    if let Err(stage) = prepare(child) {
        fail(STATUS, stage);
    }
    if let Some(probe) = child.probe {
        send(STATUS, Message::Probed(probe()));
        exit(0);
    }
    send(STATUS, Message::Ready);
    // SAFETY: the program and both lists are NUL-terminated strings and lists that live until the image is replaced.
    unsafe { libc::execve(child.program.as_ptr(), child.argv.as_ptr(), child.envp.as_ptr()) };
    fail(STATUS, Stage::Exec)
}

/// Raises every barrier. The filter of system calls comes last, since it refuses what the others need.
fn prepare(child: &Child<'_>) -> Result<(), Stage> {
    let descriptors = child.pipes.iter().enumerate().all(|(to, from)| duplicate(*from, to as RawFd, 0))
        && child.feed.is_none_or(|feed| duplicate(feed, FEED, 0))
        && duplicate(child.status, STATUS, libc::O_CLOEXEC);
    if child.feed.is_none() {
        close_all(FEED.cast_unsigned(), FEED.cast_unsigned());
    }
    require(descriptors, Stage::Descriptors)?;
    // SAFETY: plain system calls with numbers and a NUL-terminated path.
    let placed = unsafe {
        libc::setsid();
        libc::umask(0o077);
        libc::chdir(child.folder.as_ptr()) == 0
    };
    require(placed, Stage::Folder)?;
    default_signals();
    require(limits::set(None, child.limits).is_ok(), Stage::Limits)?;
    let Some(raised) = &child.barriers else {
        write_file(c"/proc/self/oom_score_adj", b"1000");
        close_all(STATUS.cast_unsigned() + 1, c_uint::MAX);
        return Ok(());
    };
    if let Some(id) = raised.identity {
        require(become_user(id), Stage::User)?;
    }
    // SAFETY: plain system calls with numbers.
    let restricted = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(libc::SYS_landlock_restrict_self, raised.ruleset, 0) == 0
    };
    require(restricted, Stage::Landlock)?;
    close_all(STATUS.cast_unsigned() + 1, c_uint::MAX);
    let filtered = raised.filters.iter().rev().all(|filter| seccompiler::apply_filter(filter).is_ok());
    require(filtered, Stage::Seccomp)
}

fn require(held: bool, stage: Stage) -> Result<(), Stage> {
    if held { Ok(()) } else { Err(stage) }
}

fn become_user(id: u32) -> bool {
    // SAFETY: plain system calls with numbers. These are the raw calls, for this process's only thread.
    unsafe {
        libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) == 0
            && libc::syscall(libc::SYS_setresgid, id, id, id) == 0
            && libc::syscall(libc::SYS_setresuid, id, id, id) == 0
    }
}

/// Ignored signals would stay ignored in the program, as SIGPIPE is in every Rust program.
fn default_signals() {
    for signal in 1..=64 {
        // SAFETY: the default disposition is no function of ours; for numbers that cannot be set it fails.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an empty set, written in full by sigemptyset.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

fn duplicate(from: RawFd, to: RawFd, flags: c_int) -> bool {
    // SAFETY: both are numbers of descriptors; this process owns its own table of them.
    unsafe { libc::dup3(from, to, flags) == to }
}

fn close_all(first: c_uint, last: c_uint) {
    // SAFETY: nothing in this process uses these descriptors any more.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
}

fn write_file(path: &CStr, bytes: &[u8]) -> bool {
    // SAFETY: a NUL-terminated path, and a buffer with its length.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        let written =
            fd >= 0 && libc::write(fd, bytes.as_ptr().cast(), bytes.len()) == bytes.len().cast_signed();
        libc::close(fd);
        written
    }
}

fn fail(status: RawFd, stage: Stage) -> ! {
    send(status, Message::Failed(stage, errno()));
    exit(127)
}

fn send(status: RawFd, message: Message) {
    let bytes = message.encode();
    // SAFETY: a buffer with its length. Less than a pipe takes at once, so it is written whole.
    unsafe { libc::write(status, bytes.as_ptr().cast(), bytes.len()) };
}

fn errno() -> c_int {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}

fn exit(code: c_int) -> ! {
    // SAFETY: ends the process without running anything that was registered for its exit.
    unsafe { libc::_exit(code) }
}
