//! Many sockets on one thread (epoll(7)).

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::failure::{Doing, Result};

/// The longest wait.
const LONGEST: Duration = Duration::from_millis(500);
/// How many sockets are reported at once.
const AT_ONCE: usize = 256;

/// Sockets that are watched for something to read.
pub struct Poll {
    epoll: OwnedFd,
}

impl Poll {
    /// Watches nothing yet.
    pub fn new() -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).doing("watch sockets")?;
        Ok(Self { epoll })
    }

    /// Watches a socket under a number, until it is closed.
    pub fn add(&self, socket: &impl std::os::fd::AsFd, number: usize) -> Result<()> {
        epoll::add(&self.epoll, socket, EventData::new_u64(number as u64), EventFlags::IN)
            .doing("watch a socket")
    }

    /// Waits until something can be read or the time has come; the numbers of those that can be read.
    pub fn wait(&self, until: Option<Instant>) -> Result<Vec<usize>> {
        let wait =
            until.map_or(LONGEST, |until| until.saturating_duration_since(Instant::now()).min(LONGEST));
        let wait = Timespec { tv_sec: 0, tv_nsec: wait.as_nanos() as _ };
        let mut ready: Vec<Event> = Vec::with_capacity(AT_ONCE);
        match epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).doing("wait for sockets"),
        }
        Ok(ready.iter().map(|event| event.data.u64() as usize).collect())
    }
}

/// Makes a socket fit to be watched.
pub fn nonblocking(socket: &TcpStream) -> Result<()> {
    socket.set_nonblocking(true).and_then(|()| socket.set_nodelay(true)).doing("set up a connection")
}

/// Allows this process as many open files as it may have: every stream takes two here.
pub fn many_files() -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })
        .doing("raise the limit of open files")
}
