//! The fault catalogue as data: what the first target does, what a caller must see, what the upstream must see.
//!
//! S15 is not one answer but many: see `flap`. S16, that every attempt is accounted for, is checked in every row.

use crate::wall::End;

/// A row of the catalogue.
pub struct Row {
    /// `S01` to `S14`.
    pub id: &'static str,
    /// What the upstream does.
    pub what: &'static str,
    /// The first target's model at the wall.
    pub fault: &'static str,
    /// What a caller of a stream must see.
    pub streamed: See,
    /// What a caller of a whole answer must see.
    pub whole: See,
    /// How the first target's one call must end for it: `Cancelled` where the platform gives it up, `Completed` or
    /// `Broken` where it ends by itself. The second target's one call, where there is one, is always `Completed`.
    pub end: End,
    /// After how many milliseconds the second target is asked as well.
    pub hedge: Option<u64>,
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

use End::{Broken as Broke, Cancelled, Completed};
use See::{Broken, First, Refused, Second, Withheld};

type Streamed = See;
type Whole = See;

const fn row(
    id: &'static str,
    what: &'static str,
    fault: &'static str,
    (streamed, whole): (Streamed, Whole),
    end: End,
) -> Row {
    Row { id, what, fault, streamed, whole, end, hedge: None }
}

const fn hedged(row: Row, after_ms: u64) -> Row {
    Row { hedge: Some(after_ms), ..row }
}

/// Every row. The second target is healthy in each.
pub const ROWS: [Row; 21] = [
    row("S01", "429 with Retry-After", "s429:30", (Second, Second), Completed),
    row("S02", "429 on every try", "s429", (Second, Second), Completed),
    row("S03", "500 once", "flaky:1", (Second, Second), Completed),
    row("S04", "503 on every try", "s503", (Second, Second), Completed),
    row("S05", "TCP reset before any byte", "rst", (Second, Second), Broke),
    row("S06", "accepts, never answers", "hang", (Second, Second), Cancelled),
    row("S07", "first token slower than the deadline", "slow-first:6000", (Second, Second), Cancelled),
    hedged(row("S07 hedged", "slow, and hedged", "slow-first:6000", (Second, Second), Cancelled), 200),
    row("S08", "stream cut after content", "cut:5", (Broken(5), Second), Broke),
    row("S08 eof", "stream ends after content without a reason", "eof:5", (Broken(5), Second), Completed),
    row("S08 error", "error in the stream after content", "error:5", (Broken(5), Second), Completed),
    row("S09", "stream stalls after content", "stall:5", (Broken(5), Second), Cancelled),
    row("S10", "one malformed chunk", "malformed:3", (First, Second), Completed),
    row("S11", "terminator missing", "no-done", (First, First), Completed),
    row("S12", "context length exceeded", "context", (Refused(400), Refused(400)), Completed),
    row("S13", "content filter, before", "filter", (Refused(400), Refused(400)), Completed),
    row("S13 after", "content filter, after content", "filtered:3", (Withheld(3), Withheld(3)), Completed),
    row(
        "S13 said",
        "content filter, said by an error before content",
        "flagged:0",
        (Refused(400), Refused(400)),
        Completed,
    ),
    row(
        "S13 said after",
        "content filter, said by an error after content",
        "flagged:3",
        (Broken(3), Refused(400)),
        Completed,
    ),
    row("S14", "cut, and the next target rejects a prefilled turn", "cut:5", (Broken(5), Second), Broke),
    row("early", "200, role, pings, then an error", "early-error", (Second, Second), Completed),
];
