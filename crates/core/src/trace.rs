//! Ids that sort by time: traces, answers, runs.

use ulid::Ulid;

use crate::host::Time;

/// A new id (26 characters, Crockford base 32): its time, then randomness. <https://github.com/ulid/spec>
pub fn id(now: Time, random: u128) -> String {
    Ulid::from_parts(now.0, random).to_string()
}

/// When an id was made.
pub fn time_of(id: &str) -> Option<Time> {
    Ulid::from_string(id).ok().map(|id| Time(id.timestamp_ms()))
}
