//! Pipes between us and a guest. Our ends never block.

use std::os::fd::OwnedFd;

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};

/// A pipe.
pub struct Pipe {
    /// Our end.
    pub ours: OwnedFd,
    /// The guest's, with a number above those that a fork puts its own descriptors at.
    pub guest: OwnedFd,
}

const ABOVE: i32 = 10;

/// One that we write.
pub fn to_guest() -> std::io::Result<Pipe> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    pipe(write, &read)
}

/// One that we read.
pub fn from_guest() -> std::io::Result<Pipe> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    pipe(read, &write)
}

fn pipe(ours: OwnedFd, guest: &OwnedFd) -> std::io::Result<Pipe> {
    rustix::fs::fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    Ok(Pipe { ours, guest: rustix::io::fcntl_dupfd_cloexec(guest, ABOVE)? })
}
