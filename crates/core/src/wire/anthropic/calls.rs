//! Tool calls in one line: blocks come one after the other here, while another dialect's pieces may interleave.

use std::collections::{BTreeSet, VecDeque};

use crate::wire::answer::MAX_KEPT;
use crate::wire::event::ToolDelta;

/// Lets one call's pieces through and keeps the others' until its arguments are whole.
#[derive(Default)]
pub(super) struct Calls {
    current: Option<Current>,
    waiting: VecDeque<ToolDelta>,
    kept: usize,
    /// The calls that were let through before the current one: their arguments were whole.
    past: BTreeSet<u32>,
}

struct Current {
    index: u32,
    arguments: Scan,
}

impl Calls {
    /// What may be written now. The first piece of each call has an id; an empty one where the provider gave none.
    pub(super) fn push(&mut self, piece: &ToolDelta) -> Vec<ToolDelta> {
        if self.past.contains(&piece.index) {
            return Vec::new();
        }
        match &self.current {
            Some(current) if current.index == piece.index => {}
            Some(current) if !current.arguments.whole && self.fits(piece) => {
                self.wait(piece);
                return Vec::new();
            }
            _ => self.leave(),
        }
        let mut ready = Vec::new();
        self.pass(piece.clone(), &mut ready);
        self.release(false, &mut ready);
        ready
    }

    /// Whether a call has begun whose arguments are not whole.
    pub(super) fn busy(&self) -> bool {
        self.current.as_ref().is_some_and(|current| !current.arguments.whole)
    }

    /// All that waits, call by call: no more is to come.
    pub(super) fn settle(&mut self) -> Vec<ToolDelta> {
        let mut ready = Vec::new();
        self.release(true, &mut ready);
        self.leave();
        ready
    }

    fn leave(&mut self) {
        self.past.extend(self.current.take().map(|current| current.index));
    }

    fn fits(&self, piece: &ToolDelta) -> bool {
        self.kept.saturating_add(piece.arguments.len()) <= MAX_KEPT
    }

    fn wait(&mut self, piece: &ToolDelta) {
        self.kept = self.kept.saturating_add(piece.arguments.len());
        match self.waiting.iter_mut().find(|other| other.index == piece.index) {
            Some(begun) => begun.arguments.push_str(&piece.arguments),
            None => self.waiting.push_back(piece.clone()),
        }
    }

    /// Takes the next call in line as often as the current one is whole.
    fn release(&mut self, all: bool, ready: &mut Vec<ToolDelta>) {
        while all || self.current.as_ref().is_some_and(|current| current.arguments.whole) {
            let Some(next) = self.waiting.pop_front() else { return };
            self.kept = self.kept.saturating_sub(next.arguments.len());
            self.leave();
            self.pass(next, ready);
        }
    }

    fn pass(&mut self, mut piece: ToolDelta, ready: &mut Vec<ToolDelta>) {
        match &mut self.current {
            Some(current) if current.index == piece.index => {
                piece.id = None;
                current.arguments.read(&piece.arguments);
            }
            _ => {
                piece.id.get_or_insert_default();
                let mut arguments = Scan::default();
                arguments.read(&piece.arguments);
                self.current = Some(Current { index: piece.index, arguments });
            }
        }
        ready.push(piece);
    }
}

/// Whether an object's text has reached its closing brace.
#[derive(Default)]
struct Scan {
    depth: usize,
    quoted: bool,
    escaped: bool,
    whole: bool,
}

impl Scan {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if std::mem::take(&mut self.escaped) => {}
                b'\\' if self.quoted => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                _ if self.quoted => {}
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole |= self.depth == 0;
                }
                _ => {}
            }
        }
    }
}
