//! Watching a run: its output is read, its input written, its use measured; the first limit that is crossed ends it.

pub mod disk;
pub mod processes;

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use opencode_core::sandbox::{Limits, Status, bounds};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::folder::Folder;
use super::kill;
use super::output::{Output, Read};
use super::spawn::{Guest, Message, Stage};

/// Between two looks at what is used. A program can fill some tens of megabytes in it.
const LOOK: Duration = Duration::from_millis(10);
/// Between two looks at the folder.
const LOOK_AT_DISK: Duration = Duration::from_millis(25);
/// A look may take at most this part of the time.
const SHARE: u32 = 8;
/// How long outputs are still read after the main process has ended, where another process holds them open.
const GRACE: Duration = Duration::from_millis(100);

/// What was seen of a run.
pub struct Watched {
    /// The limit that was crossed first.
    pub crossed: Option<Status>,
    /// How the main process ended by itself, as `waitpid` says it.
    pub ended: Option<i32>,
    /// What could not be done before the program ran, with the error's number.
    pub failed: Option<(Stage, i32)>,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// The most pages that were resident at one look.
    pub pages: u64,
    /// Processor time in ticks at the last look.
    pub ticks: u64,
    /// From the start to the end of the main process, or to the limit.
    pub duration: Duration,
}

/// What is fed to a run.
pub struct Input<'a> {
    /// Standard input.
    pub stdin: &'a [u8],
    /// The harness's program.
    pub feed: &'a [u8],
}

/// Watches until the run has ended or must be.
pub fn watch(
    guest: &mut Guest,
    folder: &Folder,
    limits: &Limits,
    mut input: Input<'_>,
    sink: &mut dyn FnMut(&'static str, &str),
) -> Watched {
    let started = Instant::now();
    let deadline = started + Duration::from_millis(limits.wall_ms);
    let before = guest.members.usage().ticks;
    let mut next = Next { usage: started + LOOK, disk: started + LOOK_AT_DISK };
    let mut buffer = vec![0; 64 * 1024];
    let mut seen = Watched {
        crossed: None,
        ended: None,
        failed: None,
        stdout: Output::new(limits.output_bytes),
        stderr: Output::new(limits.output_bytes),
        pages: 0,
        ticks: 0,
        duration: Duration::ZERO,
    };
    let mut grace = None;
    write(&mut guest.feed, &mut input.feed);
    write(&mut guest.stdin, &mut input.stdin);
    loop {
        let wake = next.usage.min(next.disk).min(deadline).min(grace.unwrap_or(deadline));
        wait(guest, wake);
        write(&mut guest.feed, &mut input.feed);
        write(&mut guest.stdin, &mut input.stdin);
        read(&mut guest.stdout, &mut seen.stdout, &mut buffer, &mut |text| sink("stdout", text));
        read(&mut guest.stderr, &mut seen.stderr, &mut buffer, &mut |text| sink("stderr", text));
        if seen.ended.is_none() && has_ended(guest, &mut seen) {
            seen.duration = started.elapsed();
            grace = Some(Instant::now() + GRACE);
        }
        let now = Instant::now();
        if seen.failed.is_some() || is_over(guest, now, grace) {
            break;
        }
        seen.crossed = crossed(guest, folder, limits, &mut seen, &mut next, before, deadline);
        if seen.crossed.is_some() {
            break;
        }
    }
    if seen.ended.is_none() {
        seen.duration = started.elapsed();
    }
    seen
}

/// Reads what is left in the pipes of a run that is dead.
pub fn drain(guest: &mut Guest, seen: &mut Watched, sink: &mut dyn FnMut(&'static str, &str)) {
    let mut buffer = vec![0; 64 * 1024];
    // A pipe holds at most a megabyte (`/proc/sys/fs/pipe-max-size`) where a guest has widened it.
    for _ in 0..32 {
        read(&mut guest.stdout, &mut seen.stdout, &mut buffer, &mut |text| sink("stdout", text));
        read(&mut guest.stderr, &mut seen.stderr, &mut buffer, &mut |text| sink("stderr", text));
    }
    seen.stdout.finish(&mut |text| sink("stdout", text));
    seen.stderr.finish(&mut |text| sink("stderr", text));
}

struct Next {
    usage: Instant,
    disk: Instant,
}

/// The main process has ended and nobody holds its outputs open any more, or for too long.
fn is_over(guest: &Guest, now: Instant, grace: Option<Instant>) -> bool {
    grace.is_some_and(|until| now >= until || (guest.stdout.is_none() && guest.stderr.is_none()))
}

fn has_ended(guest: &mut Guest, seen: &mut Watched) -> bool {
    while let Some(message) = guest.message() {
        match message {
            Message::Ended(status) => seen.ended = Some(status),
            Message::Failed(stage, errno) => seen.failed = Some((stage, errno)),
            Message::Ready | Message::Probed(_) => {}
        }
    }
    // Without a leader the main process is reaped here; a leader that is gone was ended from outside.
    if seen.ended.is_none() && seen.failed.is_none() && kill::try_reap(guest) {
        seen.ended = guest.reaped.map(|reaped| reaped.status);
    }
    seen.ended.is_some()
}

fn crossed(
    guest: &Guest,
    folder: &Folder,
    limits: &Limits,
    seen: &mut Watched,
    next: &mut Next,
    before: u64,
    deadline: Instant,
) -> Option<Status> {
    let now = Instant::now();
    if seen.stdout.total.max(seen.stderr.total) > bounds::OUTPUT_DROPPED {
        return Some(Status::Output);
    }
    if now >= next.usage {
        let usage = guest.members.usage();
        next.usage = Instant::now() + LOOK.max(now.elapsed() * SHARE);
        seen.pages = seen.pages.max(usage.pages);
        seen.ticks = seen.ticks.max(usage.ticks.saturating_sub(before));
        if usage.pages.saturating_mul(page()) > limits.memory_bytes {
            return Some(Status::Memory);
        }
        if seen.ticks.saturating_mul(1000) / ticks_a_second() >= limits.cpu_ms {
            return Some(Status::Timeout);
        }
    }
    if seen.ended.is_none() && now >= deadline {
        return Some(Status::Timeout);
    }
    if now >= next.disk {
        let mut held = disk::held(folder.path());
        held.bytes = held.bytes.saturating_add(guest.members.nameless());
        next.disk = Instant::now() + LOOK_AT_DISK.max(now.elapsed() * SHARE);
        return over(&held, limits);
    }
    None
}

/// The limit of the disk that is crossed.
pub fn over(held: &disk::Held, limits: &Limits) -> Option<Status> {
    if held.files > disk::FILES {
        Some(Status::Files)
    } else if held.bytes >= limits.disk_bytes {
        Some(Status::Disk)
    } else {
        None
    }
}

/// Bytes of a page.
pub fn page() -> u64 {
    rustix::param::page_size() as u64
}

/// Ticks of `/proc/<pid>/stat` in a second.
pub fn ticks_a_second() -> u64 {
    rustix::param::clock_ticks_per_second().max(1)
}

fn wait(guest: &Guest, until: Instant) {
    let mut fds = Vec::with_capacity(5);
    let own = if guest.reaped.is_some() { None } else { Some(&guest.status) };
    for fd in [guest.stdout.as_ref(), guest.stderr.as_ref(), own].into_iter().flatten() {
        fds.push(PollFd::new(fd, PollFlags::IN));
    }
    for fd in [&guest.stdin, &guest.feed].into_iter().flatten() {
        fds.push(PollFd::new(fd, PollFlags::OUT));
    }
    if guest.reaped.is_none() {
        fds.push(PollFd::from_borrowed_fd(guest.handle.as_fd(), PollFlags::IN));
    }
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
    let _ = poll(&mut fds, Some(&left));
}

fn read(pipe: &mut Option<OwnedFd>, output: &mut Output, buffer: &mut [u8], sink: &mut dyn FnMut(&str)) {
    if let Some(fd) = pipe
        && output.read(fd, buffer, sink) == Read::End
    {
        *pipe = None;
    }
}

/// Writes as much as is taken. Nothing left, or nobody who reads it: the pipe is closed, which is the end of it.
fn write(pipe: &mut Option<OwnedFd>, bytes: &mut &[u8]) {
    while let Some(fd) = pipe {
        if bytes.is_empty() {
            *pipe = None;
            break;
        }
        match rustix::io::write(fd, bytes) {
            Ok(count) => *bytes = &bytes[count..],
            Err(rustix::io::Errno::AGAIN) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => *pipe = None,
        }
    }
}
