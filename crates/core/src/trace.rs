//! Ids that sort by time, and traces that a caller may continue.

use http::{HeaderMap, HeaderName, HeaderValue};
use ulid::Ulid;

use crate::host::Time;

/// W3C Trace Context: <https://www.w3.org/TR/trace-context/>.
pub const PARENT: HeaderName = HeaderName::from_static("traceparent");
/// See [`PARENT`].
pub const STATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest `tracestate` that is passed on, in bytes: what the recommendation asks for.
const MAX_STATE: usize = 512;

/// A new id (26 characters, Crockford base 32): its time, then randomness. <https://github.com/ulid/spec>
pub fn id(now: Time, random: u128) -> String {
    Ulid::from_parts(now.0, random).to_string()
}

/// When an id was made.
pub fn time_of(id: &str) -> Option<Time> {
    Ulid::from_string(id).ok().map(|id| Time(id.timestamp_ms()))
}

/// What joins a request, its upstream calls and its receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// 32 lower-case hexadecimal digits: W3C's `trace-id`.
    id: String,
    flags: u8,
    state: Option<HeaderValue>,
}

impl Trace {
    /// The caller's trace, where its `traceparent` is sound, else a new one.
    pub fn of(headers: &HeaderMap, now: Time, random: u128) -> Self {
        let parent = headers.get(&PARENT).and_then(|value| parse(value.to_str().ok()?));
        match parent {
            Some((id, flags)) => {
                let state = headers.get(&STATE).filter(|state| state.len() <= MAX_STATE).cloned();
                Self { id: id.to_owned(), flags, state }
            }
            None => Self { id: format!("{:032x}", Ulid::from_parts(now.0, random).0), flags: 1, state: None },
        }
    }

    /// A trace that was stored by its id.
    pub fn stored(id: &str) -> Self {
        Self { id: id.to_owned(), flags: 1, state: None }
    }

    /// 32 lower-case hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Sets `traceparent`, for the span that these random bits name, and `tracestate`.
    pub fn write(&self, headers: &mut HeaderMap, random: u128) {
        // The recommendation forbids zero.
        let span = (random as u64).max(1);
        let parent = format!("00-{}-{span:016x}-{:02x}", self.id, self.flags);
        if let Ok(parent) = HeaderValue::from_str(&parent) {
            headers.insert(PARENT, parent);
        }
        if let Some(state) = &self.state {
            headers.insert(STATE, state.clone());
        }
    }
}

/// The `trace-id` and flags of a sound `traceparent`.
fn parse(text: &str) -> Option<(&str, u8)> {
    let mut parts = text.trim().split('-');
    let (version, id, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let zero = |text: &str| text.bytes().all(|b| b == b'0');
    let sound = hex(version, 2) && hex(id, 32) && hex(span, 16) && hex(flags, 2) && !zero(id) && !zero(span);
    // Version ff is forbidden; later versions may add parts, ours may not.
    if !sound || version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    u8::from_str_radix(flags, 16).ok().map(|flags| (id, flags & 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_parent_is_continued_and_any_other_begins_anew() {
        let given = "4bf92f3577b34da6a3ce929d0e0e4736";
        let of = |parent: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(PARENT, HeaderValue::from_str(parent).unwrap());
            headers.insert(STATE, HeaderValue::from_static("a=b"));
            let trace = Trace::of(&headers, Time(5), 7);
            let mut out = HeaderMap::new();
            trace.write(&mut out, 0);
            let parent = out[PARENT].to_str().unwrap().to_owned();
            (trace.id() == given, out.contains_key(STATE), parent)
        };
        let (ours, state, parent) = of(&format!("00-{given}-00f067aa0ba902b7-01"));
        assert!(ours && state);
        assert_eq!(parent, format!("00-{given}-0000000000000001-01"));
        assert!(of(&format!("cc-{given}-00f067aa0ba902b7-00-more")).0);
        for wrong in [
            String::new(),
            format!("ff-{given}-00f067aa0ba902b7-01"),
            format!("00-{given}-00f067aa0ba902b7-01-more"),
            format!("00-{}-00f067aa0ba902b7-01", given.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{given}-{}-01", "0".repeat(16)),
            format!("00-{given}-00f067aa0ba902b7"),
            format!("00-{given}0-00f067aa0ba902b7-01"),
        ] {
            let (ours, state, parent) = of(&wrong);
            assert!(!ours && !state && parent.len() == 55, "{wrong}");
        }
    }
}
