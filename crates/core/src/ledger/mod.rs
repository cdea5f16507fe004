//! Money and limits: what is held before an answer, and what is settled after it.

pub mod counters;
