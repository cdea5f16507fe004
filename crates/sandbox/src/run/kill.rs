//! Ending everything of a run, and knowing that it has ended.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal};

use super::barriers::Barriers;
use super::spawn::Guest;
use super::watch::processes;

/// How long confirmation is waited for before the environment is given up.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ends a guest with everything that descends from it. `false` where that could not be confirmed.
pub fn end(guest: &mut Guest, barriers: &Barriers) -> bool {
    match barriers {
        Barriers::Full(full) if full.namespaces.process && guest.reaped.is_some() => true,
        Barriers::Full(full) if full.namespaces.process => end_leader(guest),
        Barriers::Full(_) => {
            let dead = end_descendants(guest);
            // It goes on, reaps them, and ends since nothing is left.
            let _ = rustix::process::pidfd_send_signal(&guest.handle, Signal::CONT);
            dead & (reap(guest) || end_leader(guest))
        }
        Barriers::Lambda => {
            let dead = super::lambda::end_everyone() & reap(guest);
            super::lambda::reap_orphans();
            dead
        }
    }
}

/// The end of process 1 of a namespace is the end of all in it: its parent learns of it when they are dead.
fn end_leader(guest: &mut Guest) -> bool {
    // It may be gone already, which `reap` finds.
    let _ = rustix::process::pidfd_send_signal(&guest.handle, Signal::KILL);
    reap(guest)
}

fn reap(guest: &mut Guest) -> bool {
    let until = Instant::now() + PATIENCE;
    while !try_reap(guest) {
        if Instant::now() > until {
            return false;
        }
        let wait = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let _ = poll(&mut [PollFd::new(&guest.handle, PollFlags::IN)], Some(&wait));
    }
    true
}

/// Reaps the leader where it is dead; `true` where it is reaped.
pub fn try_reap(guest: &mut Guest) -> bool {
    if guest.reaped.is_none() {
        guest.reaped = wait(guest.leader);
    }
    guest.reaped.is_some()
}

/// What a process and all its children that it waited for have used.
#[derive(Clone, Copy, Debug)]
pub struct Reaped {
    /// As `waitpid` gives it.
    pub status: i32,
    /// Processor time.
    pub cpu: Duration,
    /// The most resident memory of any one of them, in bytes.
    pub peak: u64,
}

fn wait(pid: Pid) -> Option<Reaped> {
    let mut status = 0;
    // SAFETY: all zeros is a value of this plain structure.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both outlive the call.
    let reaped =
        unsafe { libc::wait4(pid.as_raw_nonzero().get(), &raw mut status, libc::WNOHANG, &raw mut usage) };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    (reaped == pid.as_raw_nonzero().get()).then(|| Reaped {
        status,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak: usage.ru_maxrss.unsigned_abs() * 1024,
    })
}

/// Without a process namespace: the leader is stopped first, so that it reaps nothing and no process id is used again;
/// then all below it are kept from forking and ended, until all are dead.
fn end_descendants(guest: &Guest) -> bool {
    let _ = rustix::process::pidfd_send_signal(&guest.handle, Signal::STOP);
    let until = Instant::now() + PATIENCE;
    loop {
        let alive: Vec<Pid> = processes::descendants(guest.leader)
            .into_iter()
            .filter(|pid| processes::stat(*pid).is_some_and(|stat| !stat.is_zombie()))
            .filter_map(Pid::from_raw)
            .collect();
        if alive.is_empty() {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        for pid in alive {
            end_one(pid, guest.leader);
        }
        std::thread::yield_now();
    }
}

fn end_one(pid: Pid, leader: Pid) {
    let Ok(handle) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return };
    // Asked again with the handle open: its number could have been another process's by now.
    if processes::descendants(leader).contains(&pid.as_raw_nonzero().get()) {
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        let _ = rustix::process::prlimit(Some(pid), Resource::Nproc, none);
        let _ = rustix::process::pidfd_send_signal(&handle, Signal::KILL);
    }
}
