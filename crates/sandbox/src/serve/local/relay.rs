//! What an environment says, held against its seal.
//!
//! Code may reach the Runtime API of its own environment (where no barrier keeps it from that) and answer in the
//! sandbox's place. Pieces of output are passed on as they come; an outcome only when the seal over everything holds.

use bytes::{Bytes, BytesMut};
use opencode_core::sandbox::{Isolation, Line, Outcome, Sealing, Status, bounds};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use crate::serve::outcome::{line, line_of, without_run};

/// What the relay has to know of an execution; everything else is between the caller and the environment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    nonce: String,
    whole: bool,
}

impl Asked {
    /// Of an event, whatever it is.
    pub fn read(event: &[u8]) -> Self {
        serde_json::from_slice(event).unwrap_or_default()
    }
}

/// One answer on its way.
pub struct Relay {
    asked: Asked,
    sealing: Sealing,
    /// What is no whole line yet.
    rest: BytesMut,
    /// Lines that wait for the seal.
    held: Vec<Bytes>,
    broken: bool,
}

/// The answer is not the sandbox's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

impl Relay {
    /// For an answer that is sealed with this key.
    pub fn new(asked: Asked, key: &str) -> Self {
        let sealing = Sealing::new(key, &asked.nonce);
        Self { asked, sealing, rest: BytesMut::new(), held: Vec::new(), broken: false }
    }

    /// Takes the next bytes; gives what can be passed on.
    pub fn push(&mut self, bytes: &[u8]) -> Bytes {
        self.rest.extend_from_slice(bytes);
        let mut out = BytesMut::new();
        let mut from = self.rest.len() - bytes.len();
        while let Some(end) = self.rest[from..].iter().position(|byte| *byte == b'\n') {
            let line = self.rest.split_to(from + end + 1).freeze();
            from = 0;
            if self.held.is_empty() && !self.asked.whole && is_output(&line) {
                self.sealing.add(&line);
                out.extend_from_slice(&line);
            } else if self.held.len() < 2 {
                self.held.push(line);
            } else {
                self.broken = true;
            }
        }
        if self.rest.len() > bounds::LINE {
            self.broken = true;
            self.rest.clear();
        }
        out.freeze()
    }

    /// The end of the answer: its outcome, if the seal holds.
    pub fn end(mut self) -> Result<Bytes, Forged> {
        let (false, true, [outcome, last]) = (self.broken, self.rest.is_empty(), self.held.as_slice()) else {
            return Err(Forged);
        };
        self.sealing.add(outcome);
        let seal = serde_json::from_slice::<Line>(last).map_err(|_| Forged)?;
        let made = self.sealing.text();
        let same = |text: String| bool::from(made.as_bytes().ct_eq(text.as_bytes()));
        let holds = seal.kind == "seal" && seal.text.is_some_and(same);
        if holds { Ok(outcome.clone()) } else { Err(Forged) }
    }

    /// The outcome of a run that has none of its own, as its caller wants to have it.
    pub fn without(streams: bool, status: Status, message: &str, isolation: &Isolation) -> Bytes {
        let outcome = without_run(status, message, isolation);
        match streams {
            true => line(&line_of("outcome", None, Some(outcome))).into(),
            false => line(&outcome).into(),
        }
    }

    /// Whether the caller wants lines.
    pub fn streams(&self) -> bool {
        !self.asked.whole
    }
}

/// Lines as the one object that `Invoke` answers.
pub fn joined(lines: &[u8]) -> Option<Vec<u8>> {
    let (mut stdout, mut stderr, mut outcome) = (String::new(), String::new(), None);
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Line = serde_json::from_slice(line).ok()?;
        match line.kind.as_str() {
            "stdout" => stdout += line.text.as_deref()?,
            "stderr" => stderr += line.text.as_deref()?,
            "outcome" => outcome = line.outcome,
            _ => {}
        }
    }
    outcome.map(|outcome| line(&Outcome { stdout, stderr, ..outcome }))
}

fn is_output(line: &[u8]) -> bool {
    let read = serde_json::from_slice::<Line>(line);
    read.is_ok_and(|line| {
        matches!(line.kind.as_str(), "started" | "stdout" | "stderr") && line.outcome.is_none()
    })
}

#[cfg(test)]
mod tests {
    use opencode_core::sandbox::seal;

    use super::*;
    use crate::serve::outcome::tests::isolation;

    const OUT: &str = "{\"type\":\"stdout\",\"text\":\"a\"}\n";

    fn outcome() -> String {
        String::from_utf8(Relay::without(true, Status::Ok, "", &isolation()).to_vec()).unwrap()
    }

    fn sealed(answer: &str, key: &str, nonce: &str) -> String {
        format!("{answer}{{\"type\":\"seal\",\"text\":\"{}\"}}\n", seal(key, nonce, answer.as_bytes()))
    }

    fn relayed(answer: &str, size: usize) -> (String, Result<Bytes, Forged>) {
        let asked = Asked::read(br#"{"nonce":"n","language":1}"#);
        let mut relay = Relay::new(asked, "key");
        let mut out = Vec::new();
        for piece in answer.as_bytes().chunks(size) {
            out.extend_from_slice(&relay.push(piece));
        }
        (String::from_utf8(out).unwrap(), relay.end())
    }

    #[test]
    fn output_is_passed_on_and_an_outcome_only_with_its_seal() {
        let answer = [OUT, OUT, &outcome()].concat();
        for size in [1, 7, 10_000] {
            let (out, end) = relayed(&sealed(&answer, "key", "n"), size);
            assert_eq!((out, end), ([OUT, OUT].concat(), Ok(Bytes::from(outcome()))));
        }
        let one = sealed("{}\n", "key", "");
        let mut relay = Relay::new(Asked::read(br#"{"whole":true}"#), "key");
        assert!(relay.push(one.as_bytes()).is_empty());
        assert_eq!(relay.end(), Ok(Bytes::from("{}\n")));
    }

    #[test]
    fn what_is_not_the_sandboxs_is_seen() {
        let answer = [OUT, &outcome()].concat();
        let good = sealed(&answer, "key", "n");
        for forged in [
            answer.clone(),
            sealed(&answer, "other", "n"),
            sealed(&answer, "key", "other"),
            good.replace("\"a\"", "\"b\""),
            format!("{OUT}{good}"),
            format!("{good}{OUT}"),
            format!("{good}x"),
            format!("{}{good}", outcome()),
            String::new(),
            "\n\n\n".to_owned(),
        ] {
            assert_eq!(relayed(&forged, 11).1, Err(Forged), "{forged}");
        }
        let twice = OUT.replace("}", ",\"type\":\"outcome\"}");
        assert!(relayed(&twice, 11).0.is_empty());
    }
}
