//! What a sandbox answers.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It ended by itself with code 0.
    Ok,
    /// It ended by itself with another code.
    Error,
    /// Wall or processor time was used up.
    Timeout,
    /// Its processes held more memory than they may.
    Memory,
    /// It wrote more to its outputs than is read and dropped.
    Output,
    /// It wrote more to its folder than it may.
    Disk,
    /// It made more files than it may.
    Files,
    /// A signal ended it that the sandbox did not send for a limit.
    Killed,
    /// The sandbox itself was ended before it could answer.
    SandboxLost,
    /// The code has touched the sandbox's own dealings with its host: nothing it says can be believed.
    Poisoned,
}

/// What came of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// [`super::VERSION`].
    pub version: u32,
    /// How it ended.
    pub status: Status,
    /// What it wrote to standard output, as far as it is kept; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// The same of standard error.
    pub stderr: String,
    /// Whether more was written than `stdout` has.
    pub stdout_truncated: bool,
    /// The same of standard error.
    pub stderr_truncated: bool,
    /// Whether something in `stdout` or `stderr` was no UTF-8 and stands replaced.
    #[serde(default)]
    pub replaced: bool,
    /// Its exit code, where it ended by itself.
    pub exit_code: Option<i32>,
    /// The name of the signal that ended it, `SIGKILL` for example.
    pub signal: Option<String>,
    /// Wall time from the start of the program to its end, in milliseconds.
    pub duration_ms: f64,
    /// Processor time of all its processes, in milliseconds.
    pub cpu_time_ms: f64,
    /// The most resident memory of its processes.
    pub peak_memory_bytes: u64,
    /// The value of Python's last expression, where the code ends with one that is not `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Shown>,
    /// New and changed files, and plots.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
    /// What lay there and is not handed back, with the reason.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// Files that were sent and are gone.
    #[serde(default)]
    pub removed: Vec<String>,
    /// A sentence for a person, where the status alone does not say enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What really protected this run.
    pub isolation: Isolation,
}

/// A value as its language shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// As the interpreter would print it.
    pub text: String,
    /// As JSON, where it is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Box<RawValue>>,
}

/// A file that a run has left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Artifact {
    /// Its path below the run's folder; `plot-1.png` and so on for plots that the code did not save.
    pub name: String,
    /// Its media type, told from its first bytes and never from its name.
    #[serde(rename = "type")]
    pub media: String,
    /// Its size.
    pub bytes: u64,
    /// Its content in base64; missing where all of them together were too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Whether it is a plot that was captured without the code asking.
    #[serde(default, skip_serializing_if = "is_false")]
    pub plot: bool,
    /// A plot's data: its axes' labels and series, where they could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

/// Something that is not handed back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its path below the run's folder, bytes that are no text replaced.
    pub name: String,
    /// Why: `symlink`, `hard_link`, `not_a_file`, `too_many`, `too_large`, `too_deep`, `name`, `unreadable`.
    pub why: String,
}

/// Which of the two sets of barriers a sandbox has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Landlock, seccomp, no new privileges, resource limits.
    Full,
    /// What AWS Lambda leaves to a function: an unreadable bootstrap, kill and confirm, resource limits, wiping.
    Lambda,
}

/// What really protected a run, as it was probed when the sandbox started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// The set of barriers.
    pub profile: Profile,
    /// Whether a seccomp filter was installed.
    pub seccomp: bool,
    /// The version of Landlock that was enforced; 0 without it.
    pub landlock_abi: u32,
    /// Whether no process of the run could gain privileges.
    pub no_new_privs: bool,
    /// Whether it ran in a user namespace of its own.
    pub user_namespace: bool,
    /// Whether it ran in a process namespace of its own.
    pub pid_namespace: bool,
    /// Whether it ran in a network namespace of its own, without a network.
    pub network_namespace: bool,
    /// Whether it ran under another user id than the sandbox.
    pub separate_user: bool,
    /// Whether the sandbox's own memory and environment were unreadable to it.
    pub nondumpable: bool,
    /// Whether an interpreter that was started ahead ran it (and never ran anything else).
    pub warm: bool,
    /// Whether the whole environment is thrown away after this run.
    pub recycled: bool,
}

/// One line of a streamed answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// `started`, `stdout`, `stderr` or `outcome`; `seal` after it, with its text, where the sandbox has a key.
    #[serde(rename = "type")]
    pub kind: String,
    /// With `stdout` and `stderr`: a piece. All pieces together are the outcome's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// With `outcome`, the last line: everything, with `stdout` and `stderr` empty, since they were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

fn is_false(value: &bool) -> bool {
    !value
}
