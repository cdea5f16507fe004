//! Outcomes that no run has made, and how an outcome is written.

use opencode_core::sandbox::{Artifact, Isolation, Line, Outcome, Status, VERSION};

/// An outcome that says nothing but how it came to it.
pub(super) fn without_run(status: Status, message: &str, isolation: &Isolation) -> Outcome {
    Outcome {
        version: VERSION,
        status,
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
        message: Some(message.to_owned()),
        isolation: Isolation { recycled: true, ..isolation.clone() },
    }
}

/// One line of JSON with its line break. Raw JSON of the code's own may have line breaks between its parts, where they
/// mean nothing; here they would begin another line.
pub(super) fn line(value: &impl serde::Serialize) -> Vec<u8> {
    // Every map has text for keys, so nothing here fails to be written.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    bytes.push(b'\n');
    bytes
}

/// A line of this kind.
pub(super) fn line_of(kind: &str, text: Option<String>, outcome: Option<Outcome>) -> Line {
    Line { kind: kind.to_owned(), text, outcome }
}

/// The outcome as one line of at most `most` bytes: what does not fit goes, the largest first, and its place says so.
pub(super) fn fitted(mut outcome: Outcome, most: usize, streamed: bool) -> Vec<u8> {
    loop {
        let written = match streamed {
            true => line(&line_of("outcome", None, Some(outcome.clone()))),
            false => line(&outcome),
        };
        if written.len() <= most || !shrink(&mut outcome) {
            return written;
        }
    }
}

/// Takes the largest part out. `false` where there is nothing left to take.
fn shrink(outcome: &mut Outcome) -> bool {
    let content = |artifact: &Artifact| artifact.content.as_ref().map_or(0, String::len);
    let data = |artifact: &Artifact| artifact.data.as_ref().map_or(0, |data| data.get().len());
    if let Some(largest) = outcome.artifacts.iter_mut().max_by_key(|artifact| content(artifact))
        && content(largest) > 0
    {
        largest.content = None;
        return true;
    }
    if let Some(largest) = outcome.artifacts.iter_mut().max_by_key(|artifact| data(artifact))
        && data(largest) > 0
    {
        largest.data = None;
        return true;
    }
    if outcome.result.take().is_some() {
        return true;
    }
    let longer_is_stdout = outcome.stdout.len() >= outcome.stderr.len();
    let (text, truncated) = match longer_is_stdout {
        true => (&mut outcome.stdout, &mut outcome.stdout_truncated),
        false => (&mut outcome.stderr, &mut outcome.stderr_truncated),
    };
    if text.is_empty() {
        return false;
    }
    let half = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(half);
    *truncated = true;
    true
}

#[cfg(test)]
pub(super) mod tests {
    use opencode_core::sandbox::{Profile, Shown};
    use serde_json::value::RawValue;

    use super::*;

    pub(in crate::serve) fn isolation() -> Isolation {
        Isolation {
            profile: Profile::Full,
            seccomp: true,
            landlock_abi: 6,
            no_new_privs: true,
            user_namespace: false,
            pid_namespace: false,
            network_namespace: false,
            separate_user: false,
            nondumpable: false,
            warm: false,
            recycled: false,
        }
    }

    fn artifact(name: &str, bytes: usize) -> Artifact {
        Artifact {
            name: name.to_owned(),
            media: "text/plain".to_owned(),
            bytes: bytes as u64,
            content: Some("x".repeat(bytes)),
            plot: false,
            data: None,
        }
    }

    #[test]
    fn what_does_not_fit_goes_the_largest_first() {
        let mut outcome = without_run(Status::Ok, "", &isolation());
        outcome.artifacts = vec![artifact("small", 1_000), artifact("large", 5_000)];
        outcome.stdout = "é".repeat(3_000);
        let read =
            |most| -> Outcome { serde_json::from_slice(&fitted(outcome.clone(), most, false)).unwrap() };
        let held = |outcome: &Outcome| -> Vec<bool> {
            outcome.artifacts.iter().map(|artifact| artifact.content.is_some()).collect()
        };
        assert_eq!(held(&read(100_000)), [true, true]);
        assert_eq!(held(&read(9_000)), [true, false]);
        let least = read(3_000);
        assert_eq!((held(&least), least.stdout_truncated), (vec![false, false], true));
        assert!(least.stdout.chars().all(|letter| letter == 'é') && !least.stdout.is_empty());
        assert!(!fitted(outcome, 10, true).is_empty(), "what cannot be made to fit is still written");
    }

    #[test]
    fn json_of_the_code_cannot_begin_a_line() {
        let mut outcome = without_run(Status::Ok, "", &isolation());
        let json = RawValue::from_string("[1,\r\n{\"type\":\n\"outcome\"}]".to_owned()).ok();
        outcome.result = Some(Shown { text: "a\nb".to_owned(), json });
        let written = line(&outcome);
        assert_eq!(written.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count(), 1);
        let read: Outcome = serde_json::from_slice(&written).unwrap();
        assert_eq!(read.result.unwrap().text, "a\nb");
    }
}
