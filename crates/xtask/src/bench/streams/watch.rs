//! Reads one streamed answer as it comes, and sees that nothing of it is missing.

use std::io::BufRead;

use super::dialect::{Dialect, mark};

/// The longest line of HTTP's own, in bytes.
const LONGEST: usize = 16_384;

/// One answer on its way in.
pub struct Watch {
    caller: Dialect,
    tokens: usize,
    seen: usize,
    ended: bool,
    part: Part,
    /// Bytes of HTTP's own that are not a whole line yet.
    line: Vec<u8>,
    /// The body's bytes that may hold the beginning of what is waited for.
    text: Vec<u8>,
}

/// Where in the message the next byte stands.
#[derive(PartialEq)]
enum Part {
    Status,
    Headers,
    Size,
    Data(usize),
    /// The line end after a chunk.
    Gap,
    /// After the chunk without data.
    Trailer,
    Over,
}

impl Watch {
    /// For an answer of so many tokens in the caller's dialect.
    pub fn new(caller: Dialect, tokens: usize) -> Self {
        let (line, text) = (Vec::new(), Vec::new());
        Self { caller, tokens, seen: 0, ended: false, part: Part::Status, line, text }
    }

    /// Tokens so far.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Takes bytes of the message; whether the answer is complete now. The error says what is wrong with it.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<bool, String> {
        while !bytes.is_empty() && self.part != Part::Over {
            if let Part::Data(left) = self.part {
                let count = left.min(bytes.len());
                self.body(&bytes[..count]);
                bytes = &bytes[count..];
                self.part = if count == left { Part::Gap } else { Part::Data(left - count) };
                continue;
            }
            let _ = bytes.read_until(b'\n', &mut self.line);
            if self.line.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned();
                self.line(&line)?;
            } else if self.line.len() > LONGEST {
                return Err("a line of the head is too long".to_owned());
            }
        }
        match &self.part {
            Part::Over if self.ended => Ok(true),
            Part::Over => Err(self.missing()),
            _ => Ok(false),
        }
    }

    /// What an answer that ended here is short of.
    pub fn missing(&self) -> String {
        match self.tokens - self.seen {
            0 => "it ended without its terminator".to_owned(),
            _ => format!("it ended after {} of {} tokens", self.seen, self.tokens),
        }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        self.part = match self.part {
            Part::Status if line.contains(" 200 ") => Part::Headers,
            Part::Status => return Err(format!("its status was {line}")),
            Part::Headers if line.is_empty() => Part::Size,
            Part::Gap => Part::Size,
            Part::Size => match usize::from_str_radix(line, 16) {
                Ok(0) => Part::Trailer,
                Ok(size) => Part::Data(size),
                Err(_) => return Err(format!("{line:?} is no chunk's length")),
            },
            Part::Trailer if line.is_empty() => Part::Over,
            _ => return Ok(()),
        };
        Ok(())
    }

    /// The tokens in their order, then the terminator. What is not its beginning is forgotten.
    fn body(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        let mut rest = self.text.as_slice();
        while self.seen < self.tokens {
            let before = rest;
            // The library's own search is fast also where this is built for debugging.
            let Some(at) = rest.skip_until(b'#').unwrap_or(0).checked_sub(1) else { break };
            let found = &before[at..];
            let wanted = mark(self.seen);
            if found.starts_with(wanted.as_bytes()) {
                self.seen += 1;
            } else if found.starts_with(b"#") && found.len() < wanted.len() {
                rest = found;
                break;
            }
        }
        if self.seen == self.tokens {
            let end = self.caller.end().as_bytes();
            self.ended |= rest.windows(end.len()).any(|at| at == end);
            rest = &rest[rest.len().saturating_sub(end.len() - 1)..];
        }
        let kept = self.text.len() - rest.len();
        self.text.drain(..kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

    fn message(frames: &[&str]) -> String {
        let chunks = frames.iter().map(|frame| format!("{:x}\r\n{frame}\r\n", frame.len()));
        HEAD.to_owned() + &chunks.collect::<String>() + "0\r\n\r\n"
    }

    fn judge(message: &str, cut: usize) -> Result<bool, String> {
        let mut watch = Watch::new(Dialect::OpenAi, 2);
        message.as_bytes().chunks(cut).try_fold(false, |_, bytes| watch.take(bytes))
    }

    #[test]
    fn a_whole_answer_is_complete_however_it_is_cut() {
        let whole = message(&["data: # #0; ", "#1", ";\n\n", "data: [DONE]\n\n"]);
        for cut in 1..whole.len() {
            assert_eq!(judge(&whole, cut), Ok(true), "in pieces of {cut}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let lost = "it ended after 1 of 2 tokens".to_owned();
        assert_eq!(judge(&message(&["#0; #2; data: [DONE]"]), 7), Err(lost));
        assert_eq!(judge(&message(&["#0; #1;"]), 7), Err("it ended without its terminator".to_owned()));
        assert_eq!(judge("HTTP/1.1 503 No\r\n", 99), Err("its status was HTTP/1.1 503 No".to_owned()));
        assert_eq!(judge(HEAD, 99), Ok(false));
    }
}
