//! The fault catalogue as data: what the first target does, and what a caller must see.

/// A row of the catalogue.
pub struct Row {
    /// `S01` to `S16`.
    pub id: &'static str,
    /// What the upstream does.
    pub what: &'static str,
    /// The first target's model at the wall.
    pub fault: &'static str,
    /// What a caller of a stream must see.
    pub streamed: See,
    /// What a caller of a whole answer must see.
    pub whole: See,
    /// How often the first target may be asked.
    pub calls: usize,
}

/// What a caller must see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum See {
    /// A whole answer of the second target, and nothing of the first.
    Second,
    /// A whole answer of the first target; the second is never asked.
    First,
    /// So many tokens of the first target, then the dialect's error and nothing that looks like an end; the second is
    /// never asked.
    Broken(usize),
    /// The first target's refusal, with this status; the second is never asked.
    Refused(u16),
    /// So many tokens and the dialect's word for content that was withheld.
    Withheld(usize),
}

use See::{Broken, First, Refused, Second, Withheld};

const fn row(id: &'static str, what: &'static str, fault: &'static str, streamed: See, whole: See) -> Row {
    Row { id, what, fault, streamed, whole, calls: 1 }
}

/// Every row. The second target is healthy in each.
pub const ROWS: [Row; 18] = [
    row("S01", "429 with Retry-After", "s429:30", Second, Second),
    row("S02", "429 on every try", "s429", Second, Second),
    row("S03", "500 once", "flaky:1", Second, Second),
    row("S04", "503 on every try", "s503", Second, Second),
    row("S05", "TCP reset before any byte", "rst", Second, Second),
    row("S06", "accepts, never answers", "hang", Second, Second),
    row("S07", "first token slower than the deadline", "slow-first:6000", Second, Second),
    row("S08", "stream cut after content", "cut:5", Broken(5), Second),
    row("S08 eof", "stream ends after content without a reason", "eof:5", Broken(5), Second),
    row("S08 error", "error in the stream after content", "error:5", Broken(5), Second),
    row("S09", "stream stalls after content", "stall:5", Broken(5), Second),
    row("S10", "one malformed chunk", "malformed:3", First, Second),
    row("S11", "terminator missing", "no-done", First, First),
    row("S12", "context length exceeded", "context", Refused(400), Refused(400)),
    row("S13", "content filter, before", "filter", Refused(400), Refused(400)),
    row("S13 after", "content filter, after content", "filtered:3", Withheld(3), Withheld(3)),
    row("S14", "cut, and the next target rejects a prefilled turn", "cut:5", Broken(5), Second),
    row("early", "200, role, pings, then an error", "early-error", Second, Second),
];
