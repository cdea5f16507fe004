//! The filter of system calls: other architectures' calls end the process, calls that no program of ours needs fail
//! with `EPERM`, those whose users have another way with `ENOSYS`.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

/// The filters, in the order in which they are installed.
pub fn filters() -> Result<[BpfProgram; 2], BackendError> {
    Ok([refused()?, missing()?])
}

/// What fails with `EPERM`, and before it: another architecture and the x32 calls end the process.
fn refused() -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend(REFUSED_X86_64.iter().map(|call| (*call, Vec::new())));
    rules.insert(libc::SYS_socketpair, socketpair()?);
    rules.insert(libc::SYS_clone, namespaces()?);
    rules.insert(libc::SYS_ioctl, terminal()?);
    rules.insert(libc::SYS_prctl, process_control()?);
    for call in ON_OTHERS {
        rules.insert(*call, vec![SeccompRule::new(vec![argument(0, SeccompCmpOp::Ne, 0)?])?]);
    }
    rules.insert(libc::SYS_setpriority, vec![SeccompRule::new(vec![argument(1, SeccompCmpOp::Ne, 0)?])?]);
    rules.insert(libc::SYS_ioprio_set, vec![SeccompRule::new(vec![argument(1, SeccompCmpOp::Ne, 0)?])?]);
    let errno = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter: BpfProgram =
        SeccompFilter::new(rules, SeccompAction::Allow, errno, architecture()?)?.try_into()?;
    Ok(no_x32().into_iter().chain(filter).collect())
}

/// What does not exist: a C library then takes the older call, whose arguments a filter can read.
fn missing() -> Result<BpfProgram, BackendError> {
    let rules = [(libc::SYS_clone3, Vec::new()), (libc::SYS_memfd_create, Vec::new())].into();
    let errno = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    SeccompFilter::new(rules, SeccompAction::Allow, errno, architecture()?)?.try_into()
}

/// Only streams between a program's own processes: a datagram can be sent to any socket's name.
fn socketpair() -> Result<Vec<SeccompRule>, BackendError> {
    const KIND: u64 = 0xf;
    let unix = libc::AF_UNIX.cast_unsigned().into();
    let datagram = libc::SOCK_DGRAM.cast_unsigned().into();
    Ok(vec![
        SeccompRule::new(vec![argument(0, SeccompCmpOp::Ne, unix)?])?,
        SeccompRule::new(vec![argument(1, SeccompCmpOp::MaskedEq(KIND), datagram)?])?,
        SeccompRule::new(vec![argument(
            1,
            SeccompCmpOp::MaskedEq(KIND),
            libc::SOCK_RAW.cast_unsigned().into(),
        )?])?,
    ])
}

/// Any flag that makes a namespace.
fn namespaces() -> Result<Vec<SeccompRule>, BackendError> {
    [
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWUTS,
    ]
    .into_iter()
    .map(|flag| {
        let flag = flag.cast_unsigned().into();
        SeccompRule::new(vec![argument(0, SeccompCmpOp::MaskedEq(flag), flag)?])
    })
    .collect()
}

/// Typing into a terminal.
fn terminal() -> Result<Vec<SeccompRule>, BackendError> {
    [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSCTTY, libc::TIOCSETD]
        .into_iter()
        .map(|request| SeccompRule::new(vec![argument(1, SeccompCmpOp::Eq, request)?]))
        .collect()
}

/// A process stays readable to the one that watches it, and installs no filters.
fn process_control() -> Result<Vec<SeccompRule>, BackendError> {
    [
        libc::PR_SET_DUMPABLE,
        libc::PR_SET_PTRACER,
        libc::PR_SET_SECCOMP,
        libc::PR_SET_CHILD_SUBREAPER,
        libc::PR_SET_MM,
    ]
    .into_iter()
    .map(|option| SeccompRule::new(vec![argument(0, SeccompCmpOp::Eq, option as u32 as u64)?]))
    .collect()
}

fn argument(index: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)
}

fn architecture() -> Result<TargetArch, BackendError> {
    std::env::consts::ARCH.try_into()
}

/// Ends the process at a call whose number has the bit of the x32 calls: they have the architecture's own number
/// otherwise and would pass a filter made of numbers (`__X32_SYSCALL_BIT`, asm/unistd.h).
fn no_x32() -> Vec<sock_filter> {
    const LOAD_NUMBER: sock_filter = sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 };
    const BELOW_X32: sock_filter = sock_filter { code: 0x35, jt: 0, jf: 1, k: 0x4000_0000 };
    const END: sock_filter = sock_filter { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_KILL_PROCESS };
    if cfg!(target_arch = "x86_64") { vec![LOAD_NUMBER, BELOW_X32, END] } else { Vec::new() }
}

/// Calls that take a process as their first argument: only the caller itself, which is 0.
const ON_OTHERS: &[c_long] = &[
    libc::SYS_prlimit64,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];

const REFUSED: &[c_long] = &[
    // Networks of any family, and names of sockets.
    libc::SYS_socket,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_listen,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // The kernel's larger surfaces.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
    libc::SYS_seccomp,
    libc::SYS_fanotify_init,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_memfd_secret,
    libc::SYS_personality,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Files without their names.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // What outlives a process: shared memory, semaphores and queues of System V and POSIX.
    libc::SYS_shmget,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_X86_64: &[c_long] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
    libc::SYS_lookup_dcookie,
];
