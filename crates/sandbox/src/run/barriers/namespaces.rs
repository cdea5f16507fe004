//! Namespaces: a process namespace whose first process is ours, so that ending it ends everything; and beside it none
//! of the machine's networks and queues.

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

impl Namespaces {
    /// None.
    pub const NONE: Self = Self { user: false, process: false, network: false, queues: false };

    /// What to try, best first. Root needs no user namespace and gives the run a user of its own instead.
    pub fn candidates(network: bool) -> [Self; 5] {
        let root = Self { user: false, process: true, network, queues: true };
        let user = Self { user: true, ..root };
        let fewer = |all: Self| Self { network: false, queues: false, ..all };
        [root, user, fewer(root), fewer(user), Self::NONE]
    }

    /// The flags for `clone`.
    pub fn flags(self) -> c_int {
        let mut flags = 0;
        for (wanted, flag) in [
            (self.user, libc::CLONE_NEWUSER),
            (self.process, libc::CLONE_NEWPID),
            (self.network, libc::CLONE_NEWNET),
            (self.queues, libc::CLONE_NEWIPC),
        ] {
            if wanted {
                flags |= flag;
            }
        }
        flags
    }
}
