//! What a program writes: kept up to a limit, read and dropped beyond it, and always text.

use std::os::fd::OwnedFd;

/// One of the two outputs.
#[derive(Default)]
pub struct Output {
    /// What is kept.
    pub text: String,
    /// Whether more was written.
    pub truncated: bool,
    /// Whether something was no UTF-8 and stands replaced.
    pub replaced: bool,
    /// All bytes that were written.
    pub total: u64,
    limit: usize,
    /// The beginning of a letter whose end has not come.
    pending: Vec<u8>,
}

/// What a look at a pipe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Something.
    Some,
    /// Nothing for now.
    Nothing,
    /// The end.
    End,
}

impl Output {
    /// With a limit in bytes of text.
    pub fn new(limit: u64) -> Self {
        Self { limit: usize::try_from(limit).unwrap_or(usize::MAX), ..Self::default() }
    }

    /// Reads once from a pipe that does not block; new text goes to `sink`.
    pub fn read(&mut self, pipe: &OwnedFd, buffer: &mut [u8], sink: &mut dyn FnMut(&str)) -> Read {
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => Read::End,
            Ok(count) => {
                self.push(&buffer[..count], sink);
                Read::Some
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Read::Nothing,
            Err(_) => Read::End,
        }
    }

    /// Takes bytes as they were written.
    pub fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&str)) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        if self.truncated {
            return;
        }
        let before = self.text.len();
        let joined;
        let mut rest = if self.pending.is_empty() {
            bytes
        } else {
            joined = [std::mem::take(&mut self.pending).as_slice(), bytes].concat();
            &joined
        };
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.keep(text);
                    break;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    self.keep(std::str::from_utf8(good).unwrap_or_default());
                    let Some(length) = error.error_len() else {
                        self.pending = bad.to_vec();
                        break;
                    };
                    self.replace();
                    rest = &bad[length..];
                }
            }
            if self.truncated {
                break;
            }
        }
        if self.text.len() > before {
            sink(&self.text[before..]);
        }
    }

    /// What is left when nothing more comes: half a letter is no letter.
    pub fn finish(&mut self, sink: &mut dyn FnMut(&str)) {
        let before = self.text.len();
        if !std::mem::take(&mut self.pending).is_empty() && !self.truncated {
            self.replace();
        }
        if self.text.len() > before {
            sink(&self.text[before..]);
        }
    }

    fn replace(&mut self) {
        self.keep("\u{fffd}");
        self.replaced = true;
    }

    fn keep(&mut self, text: &str) {
        let room = self.limit - self.text.len();
        if text.len() <= room {
            self.text.push_str(text);
        } else {
            self.truncated = true;
            self.text.push_str(&text[..text.floor_char_boundary(room)]);
        }
    }
}
