//! What this process knows of itself: whether a run has changed it, and whether a run could read it.

use std::fs;
use std::path::{Path, PathBuf};

/// How this process was before it ran anything.
pub struct Guard {
    own: Own,
}

/// What a process of the same user can change in another without being allowed to read it.
#[derive(Debug, PartialEq, Eq)]
struct Own {
    limits: String,
    processors: String,
    priority: String,
}

/// Why a run cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Its limits, its processors or its priority are not what they were.
    Changed,
    /// Something is left in the folder.
    Left,
}

impl Doubt {
    /// Whether the run's outcome cannot be believed.
    pub fn poisons(self) -> bool {
        self == Self::Changed
    }

    /// In words.
    pub fn says(self) -> &'static str {
        match self {
            Self::Changed => "the code has changed the sandbox's own limits or priority",
            Self::Left => "the run has left something behind that could not be removed",
        }
    }
}

impl Guard {
    /// Looks at this process.
    pub fn new() -> Self {
        Self { own: Own::read() }
    }

    /// What a run has done that it must not: `scratch` must be empty but for `own`.
    pub fn doubt(&self, scratch: &[PathBuf], own: &Path) -> Option<Doubt> {
        if Own::read() != self.own {
            return Some(Doubt::Changed);
        }
        let empty = |folder: &PathBuf| {
            let entries = fs::read_dir(folder);
            entries.is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| entry.path() == own)))
        };
        (!scratch.iter().all(empty)).then_some(Doubt::Left)
    }
}

impl Own {
    fn read() -> Self {
        let text = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let status = text("/proc/self/status");
        let processors = status.lines().find(|line| line.starts_with("Cpus_allowed:")).unwrap_or_default();
        // proc(5): after the name in parentheses, fields 18 and 19 are the priority and the nice value, 41 the policy.
        let stat = text("/proc/self/stat");
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or_default();
        Self {
            limits: text("/proc/self/limits"),
            processors: processors.to_owned(),
            priority: [field(18), field(19), field(41)].join(" "),
        }
    }
}

/// Whether a process of the same user cannot read this one's environment: by trying, in a child.
pub fn is_unreadable() -> bool {
    let path = format!("/proc/{}/environ\0", std::process::id());
    // SAFETY: the child calls nothing but `open` and `_exit`, which may be called between `fork` and `exec`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: the path ends with a NUL.
        unsafe {
            let file = libc::open(path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC);
            let mut byte = 0_u8;
            let read = if file < 0 { -1 } else { libc::read(file, (&raw mut byte).cast(), 1) };
            libc::_exit(if read >= 0 { 1 } else { 0 });
        }
    }
    if child < 0 {
        return false;
    }
    let mut status = 0;
    loop {
        // SAFETY: `status` is where the child's status goes.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        if waited == child {
            return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        }
        if waited < 0 && std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_the_folder_is_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = [folder.path().to_owned()];
        let own = folder.path().join("own");
        fs::create_dir(&own).unwrap();
        let guard = Guard::new();
        assert_eq!(guard.doubt(&scratch, &own), None);
        assert_eq!(guard.doubt(&scratch, Path::new("/elsewhere")), Some(Doubt::Left));
        fs::write(folder.path().join(".x"), "").unwrap();
        assert_eq!(guard.doubt(&scratch, &own), Some(Doubt::Left));
        assert_eq!(guard.doubt(&[PathBuf::from("/nowhere")], &own), Some(Doubt::Left));
    }

    #[test]
    fn a_process_as_it_was_is_no_doubt_and_one_that_was_changed_is() {
        let own = Own::read();
        assert!(own.limits.contains("Max open files") && !own.processors.is_empty(), "{own:?}");
        assert_eq!(own.priority.split(' ').filter(|field| !field.is_empty()).count(), 3, "{own:?}");
        let changed = Guard { own: Own { limits: own.limits.replace("Max", "max"), ..own } };
        assert_eq!(changed.doubt(&[], Path::new("/")), Some(Doubt::Changed));
    }
}
