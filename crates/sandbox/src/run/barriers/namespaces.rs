//! Namespaces: a process namespace whose first process is ours, so that ending it ends everything; and beside it none
//! of the machine's networks and queues.

use std::os::fd::OwnedFd;

use libc::c_int;

/// Which namespaces a run gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespaces {
    /// One of users: what makes the others possible for an unprivileged process.
    pub user: bool,
    /// One of processes.
    pub process: bool,
    /// One of networks, with no network in it.
    pub network: bool,
    /// One of System V and POSIX queues.
    pub queues: bool,
}

/// Namespaces without a network and without queues that all runs of a sandbox enter, one after another. Making the one
/// of networks took a millisecond for each run; since no run may open a socket or a queue, nothing can be left there.
/// Only root can enter what it did not make in its own user namespace: without root each run makes its own.
pub struct Shared(Vec<OwnedFd>);

impl Shared {
    /// Makes them with a child that ends at once; they stay for as long as they are open here.
    pub fn make(network: bool) -> std::io::Result<Self> {
        let flags = if network { libc::CLONE_NEWNET | libc::CLONE_NEWIPC } else { libc::CLONE_NEWIPC };
        let names: &[&str] = if network { &["net", "ipc"] } else { &["ipc"] };
        let child = crate::run::spawn::waiting(flags)?;
        let open = |name| {
            let path = format!("/proc/{}/ns/{name}", child.pid());
            Ok(std::fs::File::open(path)?.into())
        };
        names.iter().map(open).collect::<std::io::Result<_>>().map(Self)
    }

    /// Enters them. Does not allocate: a fork asks it.
    pub fn enter(&self) -> bool {
        use std::os::fd::AsRawFd;
        // SAFETY: plain system calls with descriptors that are open; without a kind, any namespace is taken.
        self.0.iter().all(|namespace| unsafe { libc::setns(namespace.as_raw_fd(), 0) } == 0)
    }
}

impl Namespaces {
    /// None.
    pub const NONE: Self = Self { user: false, process: false, network: false, queues: false };

    /// What to try, best first. Root needs no user namespace and gives the run a user of its own instead.
    pub fn candidates(network: bool) -> [Self; 5] {
        let user = Self { user: true, process: true, network, queues: true };
        let root = Self { user: false, ..user };
        let fewer = |all: Self| Self { network: false, queues: false, ..all };
        [root, user, fewer(root), fewer(user), Self::NONE]
    }

    /// The flags for `clone`, of those that a run makes for itself.
    pub fn flags(self) -> c_int {
        let own = self.user;
        let mut flags = 0;
        for (wanted, flag) in [
            (self.user, libc::CLONE_NEWUSER),
            (self.process, libc::CLONE_NEWPID),
            (self.network && own, libc::CLONE_NEWNET),
            (self.queues && own, libc::CLONE_NEWIPC),
        ] {
            if wanted {
                flags |= flag;
            }
        }
        flags
    }
}
