//! Starting a process behind the barriers.

mod child;
mod message;
pub mod pipes;

use std::ffi::{CString, c_char, c_int};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags};

pub use self::message::{Message, Stage};
use super::barriers::{Barriers, limits};
use super::folder::Folder;
use super::watch::processes::Members;

/// What to start.
pub struct Command {
    /// The interpreter.
    pub program: PathBuf,
    /// Its arguments, the first of which is its name.
    pub args: Vec<String>,
    /// All of its environment.
    pub env: Vec<(String, String)>,
    /// Where it reads what it is fed: the first that it is fed, less than a pipe holds.
    pub fed: Option<Vec<u8>>,
}

/// A process behind the barriers, with everything that descends from it.
pub struct Guest {
    /// The leader; in the lambda profile the main process itself.
    pub leader: Pid,
    /// Which processes are watched.
    pub members: Members,
    /// The leader, as something to wait for.
    pub handle: OwnedFd,
    /// Standard input, for as long as there is more to write.
    pub stdin: Option<OwnedFd>,
    /// Standard output, until its end.
    pub stdout: Option<OwnedFd>,
    /// Standard error, until its end.
    pub stderr: Option<OwnedFd>,
    /// Where the harness reads its program.
    pub feed: Option<OwnedFd>,
    /// Where the leader says what happens.
    pub status: OwnedFd,
    /// Whether the leader is gone and reaped.
    pub reaped: Option<crate::run::kill::Reaped>,
}

/// Starts it in a folder. What fails after the fork is said by [`Message::Failed`].
pub fn start(
    command: &Command,
    folder: &Folder,
    limits: &limits::Values,
    barriers: &Barriers,
) -> std::io::Result<Guest> {
    start_with(command, folder, limits, barriers, None)
}

/// Raises the barriers and then asks `probe` in place of running a program.
pub fn probe(
    folder: &Folder,
    limits: &limits::Values,
    barriers: &Barriers,
    probe: fn() -> c_int,
) -> std::io::Result<Guest> {
    let nothing = Command { program: PathBuf::from("/"), args: Vec::new(), env: Vec::new(), fed: None };
    start_with(&nothing, folder, limits, barriers, Some(probe))
}

fn start_with(
    command: &Command,
    folder: &Folder,
    limits: &limits::Values,
    barriers: &Barriers,
    probe: Option<fn() -> c_int>,
) -> std::io::Result<Guest> {
    let (program, work) = (text(command.program.as_os_str())?, text(folder.work().as_os_str())?);
    let args = command.args.iter().map(|arg| text(arg.as_ref())).collect::<std::io::Result<Vec<_>>>()?;
    let env = command.env.iter().map(|(name, value)| text(format!("{name}={value}").as_ref()));
    let env = env.collect::<std::io::Result<Vec<_>>>()?;
    let (argv, envp) = (pointers(&args), pointers(&env));
    let (stdin, stdout, stderr) = (pipes::to_guest()?, pipes::from_guest()?, pipes::from_guest()?);
    let (feed, status) = (pipes::to_guest()?, pipes::from_guest()?);
    let ruleset = barriers.full().map(|full| full.ruleset(folder.path())).transpose()?;
    let raised = barriers.full().zip(ruleset.as_ref()).map(|(full, ruleset)| child::Raised {
        namespaces: full.namespaces,
        shared: full.shared.as_ref(),
        identity: full.identity,
        maps: [&full.maps[0], &full.maps[1]],
        ruleset: ruleset.as_raw_fd(),
        filters: &full.filters,
    });
    let pid = child::fork(&child::Child {
        program: &program,
        argv: &argv,
        envp: &envp,
        folder: &work,
        pipes: [&stdin, &stdout, &stderr].map(|pipe| pipe.guest.as_raw_fd()),
        feed: command.fed.as_ref().map(|_| feed.guest.as_raw_fd()),
        status: status.guest.as_raw_fd(),
        limits,
        barriers: raised,
        probe,
    })?;
    if let Some(first) = command.fed.as_ref().filter(|first| !first.is_empty()) {
        // Before anything else can be written. Where it is not taken whole, the harness ends by itself.
        let _ = rustix::io::write(&feed.ours, first);
    }
    let leader = Pid::from_raw(pid).ok_or(std::io::ErrorKind::NotFound)?;
    Ok(Guest {
        leader,
        members: barriers.full().map_or(Members::Everyone, |_| Members::Below(leader)),
        handle: rustix::process::pidfd_open(leader, PidfdFlags::empty())?,
        stdin: Some(stdin.ours),
        stdout: Some(stdout.ours),
        stderr: Some(stderr.ours),
        feed: Some(feed.ours),
        status: status.ours,
        reaped: None,
    })
}

/// A process that only waits, in new namespaces; it is ended when this is dropped.
pub struct Waiting(Pid);

/// Starts one.
pub fn waiting(flags: c_int) -> std::io::Result<Waiting> {
    let pid = Pid::from_raw(child::fork_waiting(flags).max(0));
    pid.map(Waiting).ok_or_else(std::io::Error::last_os_error)
}

impl Waiting {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.0.as_raw_nonzero().get()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // It is a child of ours that nobody has waited for: the number is still its own.
        let _ = rustix::process::kill_process(self.0, rustix::process::Signal::KILL);
        let _ = rustix::process::waitpid(Some(self.0), rustix::process::WaitOptions::empty());
    }
}

impl Guest {
    /// Waits until every barrier is up.
    pub fn is_ready(&self) -> bool {
        let wait = Timespec { tv_sec: 2, tv_nsec: 0 };
        let _ = poll(&mut [PollFd::new(&self.status, PollFlags::IN)], Some(&wait));
        self.message() == Some(Message::Ready)
    }

    /// The next message, where one has come.
    pub fn message(&self) -> Option<Message> {
        let mut bytes = [0; message::SIZE];
        match rustix::io::read(&self.status, &mut bytes) {
            Ok(message::SIZE) => Message::decode(bytes),
            _ => None,
        }
    }
}

fn text(text: &std::ffi::OsStr) -> std::io::Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    Ok(CString::new(text.as_bytes())?)
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
}
