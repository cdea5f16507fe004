//! Answers that can be taken up again: kept while they are given, followed by those who come back.

mod follow;
mod keep;

pub use self::follow::{answer, stream};
pub use self::keep::{Keeping, begin, keep};
