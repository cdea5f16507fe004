//! Resource limits: a second line behind what is watched, and the only one between two looks.

use opencode_core::sandbox::{Limits, bounds};
use rustix::process::{Pid, Resource, Rlimit};

/// Open files of one process.
const OPEN_FILES: u64 = 256;
/// Bytes of a stack.
const STACK: u64 = 16 * 1024 * 1024;

/// A limit and its value, soft and hard alike.
pub type Values = [(Resource, u64); 7];

/// The values for a run, none above what this process itself may have. `used` is how many processes its user has beside it.
///
/// Data is not the memory limit itself: it counts what is reserved, of which an interpreter with threads has much more
/// than it touches. It bounds how far a program gets between two looks.
pub fn of(limits: &Limits, used: u64) -> Values {
    let data = limits.memory_bytes.saturating_mul(2).saturating_add(1024 * 1024 * 1024);
    let values = [
        (Resource::Core, 0),
        (Resource::Cpu, limits.cpu_ms.div_ceil(1000).saturating_add(1)),
        (Resource::Data, data),
        (Resource::Fsize, limits.disk_bytes),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Nproc, used.saturating_add(limits.processes)),
        (Resource::Stack, STACK),
    ];
    values.map(|(resource, value)| {
        (resource, rustix::process::getrlimit(resource).maximum.map_or(value, |hard| value.min(hard)))
    })
}

/// The values for an interpreter that waits for its program: what any run may ask for.
pub fn widest(used: u64) -> Values {
    of(
        &Limits {
            cpu_ms: *bounds::CPU_MS.end(),
            memory_bytes: *bounds::MEMORY_BYTES.end(),
            disk_bytes: *bounds::DISK_BYTES.end(),
            processes: *bounds::PROCESSES.end(),
            ..Limits::default()
        },
        used,
    )
}

/// Sets them on a process of another user. The kernel wants the caller to be that user, or CAP_SYS_RESOURCE, which root
/// in a container may not have: for that moment this thread's real user and group are the other's.
pub fn set_as(id: u32, pid: Pid, values: &Values) -> rustix::io::Result<()> {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    set_thread_res_gid(Gid::from_raw(id), None, None)?;
    let set = set_thread_res_uid(Uid::from_raw(id), None, None).and_then(|()| set(Some(pid), values));
    set_thread_res_uid(user, None, None)?;
    set_thread_res_gid(group, None, None)?;
    set
}

/// Sets them on a process; `None` is the caller. Does not allocate: a fork may ask it.
pub fn set(pid: Option<Pid>, values: &Values) -> rustix::io::Result<()> {
    for (resource, value) in values {
        rustix::process::prlimit(pid, *resource, Rlimit { current: Some(*value), maximum: Some(*value) })?;
    }
    Ok(())
}
