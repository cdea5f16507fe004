//! What of an answer its caller's dialect cannot say: it is left out, and the caller is told.

use serde_json::{Value, json};

use super::event::Other;

/// The most kinds that are told apart; what comes beyond them is counted as [`REST`].
const MAX_KINDS: usize = 16;
/// What further kinds are called.
const REST: &str = "others";

/// How much of what was left out of one answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Omitted(Vec<Other>);

impl Omitted {
    /// Counts a thing, or a further piece of one.
    pub fn add(&mut self, other: &Other) {
        let is_full = self.0.len() >= MAX_KINDS;
        let known =
            self.0.iter_mut().find(|known| known.what == other.what || (is_full && known.what == REST));
        match known {
            Some(known) => {
                known.count = known.count.saturating_add(other.count);
                known.bytes = known.bytes.saturating_add(other.bytes);
            }
            None => {
                let what = if is_full { REST } else { &other.what };
                self.0.push(Other { what: what.to_owned(), ..other.clone() });
            }
        }
    }

    /// What the caller is told: `[{"what", "count", "bytes"}]`, in the order in which the kinds came; `None` where nothing
    /// was left out. `what` is the provider's own name of the part, `bytes` the size of its JSON or its text.
    pub fn note(&self) -> Option<Value> {
        let kinds = self.0.iter();
        let kinds =
            kinds.map(|kind| json!({"what": kind.what, "count": kind.count.max(1), "bytes": kind.bytes}));
        (!self.0.is_empty()).then(|| kinds.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::event::Event;

    fn note(events: &[Event]) -> Option<Value> {
        let mut omitted = Omitted::default();
        for event in events {
            if let Event::Other(other) = event {
                omitted.add(other);
            }
        }
        omitted.note()
    }

    #[test]
    fn things_are_counted_by_their_kind_and_pieces_only_measured() {
        assert_eq!(note(&[]), None);
        let events = [
            Event::other("server_tool_use", 70),
            Event::piece("server_tool_use", 9),
            Event::other("inlineData", 1000),
            Event::other("server_tool_use", 60),
            Event::about("citations", 80),
            Event::piece("code", 5),
        ];
        let expected = json!([
            {"what": "server_tool_use", "count": 2, "bytes": 139},
            {"what": "inlineData", "count": 1, "bytes": 1000},
            {"what": "citations", "count": 1, "bytes": 80},
            {"what": "code", "count": 1, "bytes": 5},
        ]);
        assert_eq!(note(&events), Some(expected));
    }

    #[test]
    fn names_and_their_number_are_bounded() {
        let many: Vec<_> = (0..100).map(|kind| Event::other(&format!("kind{kind}"), 2)).collect();
        let kinds = note(&many).unwrap();
        let kinds = kinds.as_array().unwrap();
        assert_eq!(kinds.len(), MAX_KINDS + 1);
        assert_eq!(kinds.last(), Some(&json!({"what": "others", "count": 84, "bytes": 168})));
        let name =
            |name: &str| note(&[Event::other(name, 1)]).unwrap()[0]["what"].as_str().map(str::to_owned);
        assert_eq!(name("a b\n\"<é>-1.x_y").as_deref(), Some("a_b_____-1.x_y"));
        assert_eq!(name("").as_deref(), Some("unnamed"));
        assert_eq!(name(&"x".repeat(1000)).map(|name| name.len()), Some(64));
    }
}
