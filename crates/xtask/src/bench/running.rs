//! A program that runs while something is measured: its start, its processor time, its memory, its end.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::contestant::Ask;
use super::http::{self, Connection};
use crate::failure::{Doing, Result, failed};

/// How long a program may take until it answers.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long it may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(3);

/// A program and everything that it started; all of it ends with this value.
pub struct Running {
    child: Child,
    started: Instant,
    log: std::path::PathBuf,
}

impl Running {
    /// Starts it; what it prints goes to a file.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let doing = format!("start {}", command.get_program().to_string_lossy());
        let out = File::create(log).doing("make a log")?;
        let err = out.try_clone().doing("make a log")?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let started = Instant::now();
        let child = command.spawn().doing(doing)?;
        Ok(Self { child, started, log: log.to_owned() })
    }

    /// Waits for the first 200 and says how long after the start it came.
    pub fn answers(&mut self, address: &str, path: &str) -> Result<Duration> {
        self.until(|| http::is_up(address, path).then_some(()))?;
        Ok(self.started.elapsed())
    }

    /// Waits for the first answer to a question, where there is no path that says that it runs.
    pub fn answers_question(&mut self, ask: &Ask) -> Result<Duration> {
        let answered = || Connection::to(&ask.address)?.ask(ask, |_| false);
        self.until(|| answered().ok())?;
        Ok(self.started.elapsed())
    }

    /// Waits until `what` finds something in what it printed so far.
    pub fn prints(&mut self, what: impl Fn(&str) -> Option<String>) -> Result<String> {
        let log = self.log.clone();
        self.until(|| what(&fs::read_to_string(&log).unwrap_or_default()))
    }

    /// The most memory that was resident at any time, in bytes: the sum over all its processes, so that pages which
    /// they share count more than once.
    pub fn peak_memory(&self) -> u64 {
        self.tree().into_iter().filter_map(peak).sum()
    }

    /// Processor time of all its processes so far, in the kernel and outside.
    pub fn processor_time(&self) -> Duration {
        let ticks: u64 = self.tree().into_iter().filter_map(stat).map(|stat| stat.ticks).sum();
        let second = rustix::param::clock_ticks_per_second().max(1);
        Duration::from_secs_f64(ticks as f64 / second as f64)
    }

    fn until<T>(&mut self, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
        while self.started.elapsed() < PATIENCE {
            if let Some(found) = ready() {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait().doing("watch a program")? {
                return failed(format!("it ended before it answered ({status}): {}", self.last_words()));
            }
            thread::sleep(Duration::from_micros(200));
        }
        failed(format!("it did not answer within {} s: {}", PATIENCE.as_secs(), self.last_words()))
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("it printed nothing")
            .trim()
            .to_owned()
    }

    /// The program and its descendants.
    fn tree(&self) -> Vec<u32> {
        let all: Vec<(u32, Stat)> = processes().filter_map(|id| Some((id, stat(id)?))).collect();
        let mut tree = vec![self.child.id()];
        let mut next = 0;
        while let Some(parent) = tree.get(next).copied() {
            tree.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(id, _)| *id));
            next += 1;
        }
        tree
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Descendants that outlive the program would be nobody's: they are noted before it ends.
        let tree: Vec<_> =
            self.tree().into_iter().skip(1).filter_map(|id| Some((id, stat(id)?.began))).collect();
        signal(self.child.id(), Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < GRACE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        // An ended process's number may already be another's.
        for (id, began) in tree {
            if stat(id).is_some_and(|stat| stat.began == began) {
                signal(id, Signal::KILL);
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(id: u32, signal: Signal) {
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(id, signal);
    }
}

/// What `/proc/PID/stat` says (proc_pid_stat(5)).
struct Stat {
    parent: u32,
    ticks: u64,
    began: u64,
}

fn stat(id: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// The name in parentheses may hold anything; `state ppid` follow it; `utime stime` are the 12th
/// and 13th, `starttime` is the 20th.
fn parse(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)?,
        began: number(19)?,
    })
}

/// The most memory that a process had resident, in bytes.
pub fn peak(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_an_odd_name_is_read() {
        let stat = parse("42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 100 23 0 0 20 0 1 0 999 5").unwrap();
        assert_eq!((stat.parent, stat.ticks, stat.began), (7, 123, 999));
    }
}
