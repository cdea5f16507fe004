//! The three inputs that no bound of ours may let through: an event of a gigabyte, an object of ten million fields,
//! nesting ten thousand deep; from upstream, streamed and whole, and from callers.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use libtest_mimic::{Failed, Trial};
use opencode_core::api::platform;
use opencode_core::call::{Call, Ended, Input, Plan, Planned, Shape, Step};
use opencode_core::host::Time;
use opencode_core::wire::Dialect;
use opencode_core::wire::json::{MAX_DEPTH, MAX_VALUES, Members};
use opencode_core::wire::sse::MAX_FRAME;

use crate::golden::DIALECTS;

/// How much of a body arrives at once.
const CHUNK: usize = 64 * 1024;
/// How much more memory than before a refusal may take: an eighth of the gigabyte.
const MOST: usize = 128 * 1024 * 1024;
/// Held by the trial that runs: the memory is the process's. The corpus, which is replayed beside it, needs little.
static ALONE: Mutex<()> = Mutex::new(());
const GIGABYTE: usize = 1024 * 1024 * 1024;
const FIELDS: usize = 10_000_000;
const LEVELS: usize = 10_000;

type Check = fn(Dialect) -> Result<(), Failed>;

/// Each bound in each dialect.
pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (name, dialect) in DIALECTS {
        let checks: [(&str, Check); 5] = [
            ("a gigabyte in one event", gigabyte),
            ("a whole answer of a gigabyte", gigabyte_whole),
            ("ten million fields from upstream", fields),
            ("ten thousand levels from upstream", levels),
            ("a request of ten million fields, or ten thousand levels", request),
        ];
        for (what, check) in checks {
            trials.push(Trial::test(format!("bounds/{name}/{what}"), move || {
                let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
                check(dialect)
            }));
        }
    }
    trials
}

fn gigabyte(dialect: Dialect) -> Result<(), Failed> {
    let chunk = Bytes::from(vec![b'x'; CHUNK]);
    let chunks = std::iter::once(Bytes::from("data: ")).chain(std::iter::repeat_n(chunk, GIGABYTE / CHUNK));
    refused(dialect, Shape::Stream, chunks, MAX_FRAME, &format!("larger than {MAX_FRAME} bytes"))
}

fn gigabyte_whole(dialect: Dialect) -> Result<(), Failed> {
    let chunks = std::iter::repeat_n(Bytes::from(vec![b' '; CHUNK]), GIGABYTE / CHUNK);
    refused(dialect, Shape::Whole, chunks, 8 * 1024 * 1024, "larger than 8 MB")
}

/// As many as they are, they are a frame that is too large; those that fit into a frame are dropped with it.
fn fields(dialect: Dialect) -> Result<(), Failed> {
    let more = (0..FIELDS / 1000).map(|at| {
        let fields = (0..1000).map(|field| format!("\"f{:08}\":0,", at * 1000 + field));
        Bytes::from(fields.collect::<String>())
    });
    let chunks = std::iter::once(Bytes::from("data: {")).chain(more);
    refused(dialect, Shape::Stream, chunks, MAX_FRAME, &format!("larger than {MAX_FRAME} bytes"))?;
    let fields: String = (0..=MAX_VALUES).map(|at| format!("\"{at}\":0,")).collect();
    dropped(dialect, &format!("{{{fields}\"end\":0}}"))
}

fn levels(dialect: Dialect) -> Result<(), Failed> {
    let (open, close) = ("[".repeat(LEVELS), "]".repeat(LEVELS));
    // In a member that nobody reads, and in those that are read.
    for member in ["unknown", "choices", "response", "message", "candidates", "item", "delta", "error"] {
        dropped(dialect, &format!(r#"{{"type":"response.output_item.done","{member}":{open}{close}}}"#))?;
    }
    Ok(())
}

fn request(dialect: Dialect) -> Result<(), Failed> {
    let mut wide = String::with_capacity(FIELDS * 14);
    wide.push('{');
    (0..FIELDS).for_each(|at| wide.push_str(&format!("\"f{at:08}\":0,")));
    wide.push_str("\"query\":\"hi\"}");
    let deep = format!("{{\"query\":{}{}}}", "[".repeat(LEVELS), "]".repeat(LEVELS));
    for (body, bound) in [
        (&wide, format!("more than {MAX_VALUES} values")),
        (&deep, format!("deeper than {MAX_DEPTH} levels")),
    ] {
        let (memory, said) = grown(|| {
            let read = Members::parse(body.as_bytes()).map(|members| dialect.read(&members).is_ok());
            (read.err().map(|error| error.to_string()), platform::read(body.as_bytes()).err())
        });
        for why in [said.0.unwrap_or_default(), said.1.map(|error| error.detail).unwrap_or_default()] {
            check(why.contains(&bound), || format!("it was not refused for {bound}: {why:?}"))?;
        }
        check(memory < MOST, || format!("it took {memory} bytes to refuse it"))?;
    }
    Ok(())
}

/// The attempt fails with these words when not much more than `most` bytes have come, and keeps none of the rest.
fn refused(
    dialect: Dialect,
    shape: Shape,
    chunks: impl Iterator<Item = Bytes>,
    most: usize,
    words: &str,
) -> Result<(), Failed> {
    let mut call = begun(dialect, shape);
    let (mut came, mut ended) = (0, None);
    let (memory, ()) = grown(|| {
        for bytes in chunks {
            came += if ended.is_none() { bytes.len() } else { 0 };
            call.handle(Input::Chunk { attempt: 0, bytes }, Time(1));
            while let Some(step) = call.next_step() {
                if let Step::End(how) = step {
                    ended = Some(how);
                }
            }
        }
    });
    match ended {
        Some(Ended::Failed(error)) if error.detail.contains(words) => {}
        other => return Err(format!("ended {other:?}, not for {words:?}").into()),
    }
    check(came <= most + 2 * CHUNK, || format!("{came} bytes were taken"))?;
    check(memory < MOST, || format!("it took {memory} bytes to refuse it"))
}

/// As a frame it is dropped and counted, and no answer as a whole.
fn dropped(dialect: Dialect, json: &str) -> Result<(), Failed> {
    let mut call = begun(dialect, Shape::Stream);
    let (memory, ()) = grown(|| {
        let bytes = Bytes::from(format!("data: {json}\n\n"));
        call.handle(Input::Chunk { attempt: 0, bytes }, Time(1));
    });
    let dropped = call.reports().first().map(|report| report.unreadable);
    check(dropped == Some(1), || format!("{dropped:?} frames were dropped of one that is too much"))?;
    check(memory < MOST, || format!("it took {memory} bytes to drop it"))?;
    let whole = dialect.decode_whole(json.as_bytes());
    check(!whole.iter().any(opencode_core::wire::event::Event::is_content), || {
        format!("it was read: {whole:?}")
    })
}

fn begun(dialect: Dialect, shape: Shape) -> Call {
    let targets = vec![Planned { dialect, context: 0 }];
    let mut call = Call::new(Plan { targets, shape, ..Plan::default() }, Time(0));
    call.handle(Input::Head { attempt: 0, status: 200, retry_after: None }, Time(1));
    call
}

/// By how many bytes the process's largest size has grown past its size before; 0 where the system does not say.
fn grown<T>(run: impl FnOnce() -> T) -> (usize, T) {
    let before = status("VmRSS:").max(status("VmHWM:"));
    let value = run();
    (status("VmHWM:").saturating_sub(before), value)
}

/// A line of Linux's account of the process, in bytes.
fn status(name: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().map_or(0, |kilobytes: usize| kilobytes * 1024)
}

fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(why().into()) }
}
