//! The bounds of an execution: what a caller may send, what limits may be asked for, what an answer may hold.

use std::ops::RangeInclusive;

/// Characters of code, in bytes.
pub const CODE: usize = 1024 * 1024;
/// Bytes of standard input.
pub const STDIN: usize = 8 * 1024 * 1024;
/// Arguments.
pub const ARGS: usize = 64;
/// Bytes of one argument.
pub const ARG: usize = 4096;
/// Environment variables.
pub const ENV: usize = 64;
/// Bytes of a variable's name and of its value.
pub const VARIABLE: usize = 4096;
/// Files that are sent.
pub const FILES: usize = 64;
/// Bytes of all files that are sent.
pub const FILES_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a file's name.
pub const NAME: usize = 255;
/// Folders above a file.
pub const DEPTH: usize = 8;

/// Milliseconds of wall time. A Lambda function's own bound is 15 minutes; the original's was 300 seconds.
pub const WALL_MS: RangeInclusive<u64> = 100..=300_000;
/// Milliseconds of processor time.
pub const CPU_MS: RangeInclusive<u64> = 100..=300_000;
/// Bytes of resident memory, all processes together. Node alone takes 45 MB.
pub const MEMORY_BYTES: RangeInclusive<u64> = 64 * 1024 * 1024..=8 * 1024 * 1024 * 1024;
/// Bytes kept of standard output, and as many of standard error.
pub const OUTPUT_BYTES: RangeInclusive<u64> = 1024..=16 * 1024 * 1024;
/// Bytes that a run may write to its folder.
pub const DISK_BYTES: RangeInclusive<u64> = 1024 * 1024..=1024 * 1024 * 1024;
/// Files that a run may leave.
pub const ARTIFACTS: RangeInclusive<u64> = 0..=256;
/// Bytes of all files that are handed back. Lambda answers 6 MB at once; a streamed answer may have 200 MB.
pub const ARTIFACTS_BYTES: RangeInclusive<u64> = 0..=32 * 1024 * 1024;
/// Processes and threads at once.
pub const PROCESSES: RangeInclusive<u64> = 1..=512;

/// Bytes after which a run that still writes is ended with `output`: what is over the limit is read and dropped until
/// then, so that a program that says too much can still end by itself.
pub const OUTPUT_DROPPED: u64 = 4 * 1024 * 1024 * 1024;

/// Bytes of a value as its language shows it, and as JSON.
pub const RESULT: usize = 1024 * 1024;
/// Bytes of a plot's data.
pub const DATA: usize = 1024 * 1024;
/// Names of what is not handed back.
pub const SKIPPED: usize = 256;
/// Bytes of a name of what is not handed back, of a media type, of a sentence for a person.
pub const SAID: usize = 4096;

/// Bytes of one line of a streamed answer.
pub const LINE: usize = 64 * 1024 * 1024;
