//! Money and limits: what is held before an answer, and what is settled after it.
//!
//! Order: hold, answer, append the receipt, close the hold. The receipt's id is the hold's, so each is there once;
//! a hold whose owner died is closed from its receipt, or at the held amount with a receipt that says `lost`.

pub mod counters;
pub mod receipt;
pub mod reserve;
pub mod usage;
