//! What is answered, from what was seen.

use opencode_core::sandbox::{Execution, Isolation, Outcome, Status, VERSION};

use super::collect::Left;
use super::spawn::Guest;
use super::watch::{self, Watched, disk};

/// Of a run that was watched and is dead.
pub fn of(seen: Watched, guest: &Guest, left: Left, execution: &Execution, isolation: Isolation) -> Outcome {
    if let Some((stage, errno)) = seen.failed {
        let error = std::io::Error::from_raw_os_error(errno);
        return refused(
            &format!("the program could not be started: it failed {}: {error}", stage.text()),
            &isolation,
        );
    }
    let ended = seen.ended.filter(|_| seen.crossed.is_none());
    let code = ended.filter(|status| libc::WIFEXITED(*status)).map(|status| libc::WEXITSTATUS(status));
    let signal = match ended {
        Some(status) if libc::WIFSIGNALED(status) => Some(libc::WTERMSIG(status)),
        Some(_) => None,
        None => Some(libc::SIGKILL),
    };
    let status = seen.crossed.unwrap_or_else(|| judged(code, signal, &left, execution));
    let reaped = guest.reaped;
    let ticks = seen.ticks as f64 * 1000.0 / watch::ticks_a_second() as f64;
    let cpu = reaped
        .filter(|_| !isolation.warm)
        .map_or(ticks, |reaped| (reaped.cpu.as_secs_f64() * 1000.0).max(ticks));
    let peak = seen.pages.saturating_mul(watch::page());
    Outcome {
        version: VERSION,
        status,
        message: message(status, execution),
        stdout_truncated: seen.stdout.truncated,
        stderr_truncated: seen.stderr.truncated,
        replaced: seen.stdout.replaced || seen.stderr.replaced,
        stdout: seen.stdout.text,
        stderr: seen.stderr.text,
        exit_code: code,
        signal: signal.map(name),
        duration_ms: seen.duration.as_secs_f64() * 1000.0,
        cpu_time_ms: cpu,
        peak_memory_bytes: reaped.map_or(peak, |reaped| peak.max(reaped.peak)),
        result: left.result,
        artifacts: left.artifacts,
        skipped: left.skipped,
        removed: left.removed,
        isolation,
    }
}

/// Of a run whose processes would not end: nothing that it left can be looked at.
pub fn undead(seen: Watched, isolation: Isolation) -> Outcome {
    Outcome {
        status: seen.crossed.unwrap_or(Status::Killed),
        stdout: seen.stdout.text,
        stderr: seen.stderr.text,
        stdout_truncated: seen.stdout.truncated,
        stderr_truncated: seen.stderr.truncated,
        duration_ms: seen.duration.as_secs_f64() * 1000.0,
        ..refused("a process of the program would not end", &Isolation { recycled: true, ..isolation })
    }
}

/// Of a run that did not come to be.
pub fn refused(says: &str, isolation: &Isolation) -> Outcome {
    Outcome {
        version: VERSION,
        status: Status::Error,
        stdout: String::new(),
        stderr: String::new(),
        stdout_truncated: false,
        stderr_truncated: false,
        replaced: false,
        exit_code: None,
        signal: None,
        duration_ms: 0.0,
        cpu_time_ms: 0.0,
        peak_memory_bytes: 0,
        result: None,
        artifacts: Vec::new(),
        skipped: Vec::new(),
        removed: Vec::new(),
        message: Some(says.to_owned()),
        isolation: isolation.clone(),
    }
}

/// Where no limit was seen crossed, a limit may still be why it ended: the kernel enforces some itself.
fn judged(code: Option<i32>, signal: Option<i32>, left: &Left, execution: &Execution) -> Status {
    match (code, signal) {
        (_, Some(libc::SIGXFSZ)) => Status::Disk,
        (_, Some(libc::SIGXCPU)) => Status::Timeout,
        // A program that is quick enough ends before the next look at its folder.
        _ if left.held.bytes > execution.limits.disk_bytes => Status::Disk,
        _ if left.held.files > disk::FILES => Status::Files,
        (Some(0), _) => Status::Ok,
        (Some(_), _) if left.out_of_memory => Status::Memory,
        _ if left.held.bytes == execution.limits.disk_bytes => Status::Disk,
        (Some(_), _) => Status::Error,
        _ => Status::Killed,
    }
}

fn message(status: Status, execution: &Execution) -> Option<String> {
    let limits = &execution.limits;
    Some(match status {
        Status::Timeout => {
            format!(
                "the program took more than {} ms, or {} ms of a processor",
                limits.wall_ms, limits.cpu_ms
            )
        }
        Status::Memory => {
            format!("the program's processes needed more than {} bytes of memory", limits.memory_bytes)
        }
        Status::Output => "the program wrote without end".to_owned(),
        Status::Disk => format!("the program wrote more than {} bytes to its folder", limits.disk_bytes),
        Status::Files => {
            format!("the program made more than {} files and folders, or too deep ones", disk::FILES)
        }
        _ => return None,
    })
}

/// A signal's name (signal(7)).
fn name(signal: i32) -> String {
    const NAMES: [(i32, &str); 17] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
    ];
    let known = NAMES.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}
