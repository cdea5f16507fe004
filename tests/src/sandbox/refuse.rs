//! What Lambda refuses, refused here: a filter of system calls in front of another program, which then runs as it would
//! in a function. By third parties' reports and AWS's documentation, not by a deployed function.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Calls that fail with `EPERM`. (Numbers of x86-64; `EPERM` is 1.)
const REFUSED: [(&str, i64); 23] = [
    ("ptrace", 101),
    ("prctl", 157),
    ("pivot_root", 155),
    ("chroot", 161),
    ("mount", 165),
    ("umount2", 166),
    ("reboot", 169),
    ("init_module", 175),
    ("delete_module", 176),
    ("kexec_load", 246),
    ("unshare", 272),
    ("perf_event_open", 298),
    ("open_by_handle_at", 304),
    ("setns", 308),
    ("finit_module", 313),
    ("seccomp", 317),
    ("bpf", 321),
    ("userfaultfd", 323),
    ("open_tree", 428),
    ("move_mount", 429),
    ("fsopen", 430),
    ("fsmount", 432),
    ("mount_setattr", 442),
];
/// Calls that a kernel of version 5.10 does not have, and `clone3`, whose flags no filter can read.
const MISSING: [(&str, i64); 4] = [
    ("clone3", 435),
    ("landlock_create_ruleset", 444),
    ("landlock_add_rule", 445),
    ("landlock_restrict_self", 446),
];
const CLONE: i64 = 56;
/// `CLONE_NEWNS`, `CLONE_NEWCGROUP`, `CLONE_NEWUTS`, `CLONE_NEWIPC`, `CLONE_NEWUSER`, `CLONE_NEWPID`, `CLONE_NEWNET`.
const NAMESPACES: [u64; 7] =
    [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];
/// Processes and threads, and open files, of a function.
const QUOTA: u64 = 1024;

/// Becomes another program behind the filter.
pub fn main(command: &[String]) -> ExitCode {
    match become_it(command) {
        Ok(error) | Err(error) => crate::suite::say(&error),
    }
    ExitCode::FAILURE
}

fn become_it(command: &[String]) -> Result<String, String> {
    let (program, arguments) = command.split_first().ok_or("which program?")?;
    for resource in [Resource::Nproc, Resource::Nofile] {
        let quota = Rlimit { current: Some(QUOTA), maximum: Some(QUOTA) };
        setrlimit(resource, quota).map_err(|error| error.to_string())?;
    }
    // The one that makes calls missing goes first: after the other one nothing can be installed.
    for filter in [missing(), refused()] {
        let filter = filter.map_err(|error| error.to_string())?;
        seccompiler::apply_filter(&filter).map_err(|error| error.to_string())?;
    }
    Ok(Command::new(program).args(arguments).exec().to_string())
}

fn missing() -> Result<BpfProgram, seccompiler::BackendError> {
    const ENOSYS: u32 = 38;
    program(MISSING.iter().map(|(_, call)| (*call, Vec::new())).collect(), ENOSYS)
}

fn refused() -> Result<BpfProgram, seccompiler::BackendError> {
    const EPERM: u32 = 1;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().map(|(_, call)| (*call, Vec::new())).collect();
    let namespaces = NAMESPACES.into_iter().map(|flag| {
        let has = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(flag), flag)?;
        SeccompRule::new(vec![has])
    });
    rules.insert(CLONE, namespaces.collect::<Result<_, _>>()?);
    program(rules, EPERM)
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    error: u32,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(error), arch)?.try_into()
}
