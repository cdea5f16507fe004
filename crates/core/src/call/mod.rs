//! The state machine of one answer.

pub mod breaker;
