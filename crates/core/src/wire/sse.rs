//! Server-sent events over bytes: splitting a body into frames, reading one, writing one.
//!
//! Format: WHATWG HTML, section 9.2 (lines end in LF, CRLF or CR; an empty line ends an event).

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use super::json::parse;

/// The largest frame, in bytes: as large as an answer that is not streamed, because a picture comes in one frame. A
/// provider that sends more without an empty line has broken its stream.
pub const MAX_FRAME: usize = 8 * 1024 * 1024;

/// How much of a chunk is taken at once, so that little more than a frame is held however large the chunk is.
const STEP: usize = 64 * 1024;

/// A frame grew past [`MAX_FRAME`]. What follows it cannot be told apart from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The frames before it.
    pub before: Vec<Bytes>,
}

/// Splits a body, however it is cut into chunks, into the same frames.
#[derive(Default)]
pub struct Splitter {
    buffer: BytesMut,
    /// How much of `buffer` was searched; `line` bytes of it are in the current line.
    searched: usize,
    line: usize,
}

impl Splitter {
    /// Adds a chunk and returns the frames that are now whole, terminators included.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<Bytes>, TooLong> {
        let mut frames = Vec::new();
        for piece in chunk.chunks(STEP) {
            self.buffer.extend_from_slice(piece);
            while let Some(end) = self.frame_end() {
                if end > MAX_FRAME {
                    return Err(TooLong { before: frames });
                }
                frames.push(self.buffer.split_to(end).freeze());
                self.searched = 0;
                self.line = 0;
            }
            if self.buffer.len() > MAX_FRAME {
                return Err(TooLong { before: frames });
            }
        }
        Ok(frames)
    }

    /// What stands after the last empty line at the body's end: servers forget the last line break. Returned as a
    /// frame with its terminator added; a torn frame will not parse and is dropped there.
    pub fn rest(&mut self) -> Option<Bytes> {
        let mut rest = std::mem::take(&mut self.buffer);
        self.searched = 0;
        self.line = 0;
        if rest.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        // A CR at the very end may have been waiting for its LF.
        if ![b"\n\n", b"\r\r", b"\n\r"].iter().any(|end| rest.ends_with(*end)) {
            rest.extend_from_slice(if rest.ends_with(b"\n") { b"\n" } else { b"\n\n" });
        }
        Some(rest.freeze())
    }

    /// Where the first frame ends. A CR waits for the byte after it, because CRLF is one line end.
    fn frame_end(&mut self) -> Option<usize> {
        while let Some(&byte) = self.buffer.get(self.searched) {
            let width = match byte {
                b'\n' => 1,
                b'\r' => match self.buffer.get(self.searched.saturating_add(1)) {
                    Some(b'\n') => 2,
                    Some(_) => 1,
                    None => return None,
                },
                _ => {
                    self.line = self.line.saturating_add(1);
                    self.searched = self.searched.saturating_add(1);
                    continue;
                }
            };
            self.searched = self.searched.saturating_add(width);
            if std::mem::take(&mut self.line) == 0 {
                return Some(self.searched);
            }
        }
        None
    }
}

/// The data of a frame, its `data:` lines joined; `None` for comments and frames without data.
pub fn data(frame: &str) -> Option<Cow<'_, str>> {
    let frame = frame.strip_prefix('\u{feff}').unwrap_or(frame);
    let mut lines = frame.split(['\n', '\r']).filter_map(|line| {
        let value = line.strip_prefix("data")?;
        let value = if value.is_empty() { value } else { value.strip_prefix(':')? };
        Some(value.strip_prefix(' ').unwrap_or(value))
    });
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(Cow::Borrowed(first)) };
    let mut joined = format!("{first}\n{second}");
    for line in lines {
        joined.push('\n');
        joined.push_str(line);
    }
    Some(Cow::Owned(joined))
}

/// Whether a frame says nothing: it has no line but comments and empty ones.
pub fn is_comment(frame: &str) -> bool {
    lines(frame).all(|line| line.starts_with([':', '\n', '\r']))
}

/// Writes a frame with an id in place of any that it has.
pub fn number(frame: &str, id: u64, out: &mut BytesMut) {
    let frame = frame.strip_prefix('\u{feff}').unwrap_or(frame);
    out.extend_from_slice(format!("id: {id}\n").as_bytes());
    for line in lines(frame).filter(|line| !line.trim_end().eq("id") && !line.starts_with("id:")) {
        out.extend_from_slice(line.as_bytes());
    }
    if frame.ends_with('\r') {
        out.extend_from_slice(b"\n");
    }
}

/// Lines with their ends.
fn lines(frame: &str) -> impl Iterator<Item = &str> {
    let mut rest = frame;
    std::iter::from_fn(move || {
        let at = rest.find(['\n', '\r'])?;
        let end =
            if rest.get(at..)?.starts_with("\r\n") { at.saturating_add(2) } else { at.saturating_add(1) };
        let (line, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(line)
    })
}

/// The `sequence_number` of a frame of Responses.
pub fn sequence(frame: &str) -> Option<u64> {
    json(frame)?.get("sequence_number")?.as_u64()
}

/// The id of the answer that a frame of Responses begins.
pub fn response_id(frame: &str) -> Option<String> {
    Some(json(frame)?.pointer("/response/id")?.as_str()?.to_owned())
}

fn json(frame: &str) -> Option<serde_json::Value> {
    parse(&data(frame)?).ok()
}

/// A frame with an event name and one line of data (JSON never holds a line break).
pub fn named(event: &str, data: &impl serde::Serialize) -> Bytes {
    Bytes::from(format!("event: {event}\ndata: {}\n\n", text(data)))
}

/// A frame with an id, an event name and one line of data.
pub fn numbered(id: &str, event: &str, data: &str) -> Bytes {
    Bytes::from(format!("id: {id}\nevent: {event}\ndata: {data}\n\n"))
}

/// A frame with one line of data.
pub fn unnamed(data: &impl serde::Serialize) -> Bytes {
    Bytes::from(format!("data: {}\n\n", text(data)))
}

fn text(data: &impl serde::Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(body: &[u8], chunk: usize) -> Vec<Bytes> {
        let mut splitter = Splitter::default();
        let mut frames: Vec<_> = body.chunks(chunk).flat_map(|chunk| splitter.push(chunk).unwrap()).collect();
        frames.extend(splitter.rest());
        frames
    }

    #[test]
    fn frames_do_not_depend_on_chunks() {
        let body = "data: a\n\ndata: é\r\n\r\n: ping\r\rdata: b\r\ndata: c\n\r\nevent: x\ndata\n\ndata: last";
        let whole = split(body.as_bytes(), body.len());
        for chunk in 1..body.len() {
            assert_eq!(split(body.as_bytes(), chunk), whole, "chunks of {chunk}");
        }
        let data: Vec<_> = whole
            .iter()
            .map(|frame| data(std::str::from_utf8(frame).unwrap()).map(Cow::into_owned))
            .collect();
        let expected = [Some("a"), Some("é"), None, Some("b\nc"), Some(""), Some("last")];
        assert_eq!(data, expected.map(|text| text.map(str::to_owned)));
    }

    #[test]
    fn an_endless_frame_is_refused() {
        let ends = |body: &[u8], chunk: usize| {
            let mut splitter = Splitter::default();
            let mut whole = 0;
            for chunk in body.chunks(chunk) {
                match splitter.push(chunk) {
                    Ok(frames) => whole += frames.len(),
                    Err(too_long) => return (whole + too_long.before.len(), true),
                }
            }
            (whole, false)
        };
        let body = |length: usize| [b"data: a\n\n", &*vec![b'x'; length - 2], b"\n\ndata: b\n\n"].concat();
        for chunk in [1021, MAX_FRAME, 3 * MAX_FRAME] {
            assert_eq!(ends(&body(MAX_FRAME), chunk), (3, false), "chunks of {chunk}");
            assert_eq!(ends(&body(MAX_FRAME + 1), chunk), (1, true), "chunks of {chunk}");
        }
    }
}
