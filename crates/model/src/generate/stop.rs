//! Stop sequences, wherever the borders between tokens fall.

/// Lets text through until a stop sequence is complete.
pub(super) struct Stops {
    sequences: Vec<String>,
    /// Text that may be the beginning of a sequence.
    held: String,
}

impl Stops {
    pub(super) fn new(sequences: Vec<String>) -> Self {
        Self { sequences, held: String::new() }
    }

    /// Takes in text. Gives what is certain to precede every stop sequence, and whether one is complete; after that
    /// there is no more.
    pub(super) fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        let found = self.sequences.iter().filter_map(|sequence| self.held.find(sequence.as_str())).min();
        if let Some(at) = found {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let from = self.doubtful();
        let held = self.held.split_off(from);
        (std::mem::replace(&mut self.held, held), false)
    }

    /// The end has come: what was held back was no stop sequence.
    pub(super) fn rest(self) -> String {
        self.held
    }

    /// Where the longest end begins that a sequence might begin with.
    fn doubtful(&self) -> usize {
        let longest = self.sequences.iter().map(String::len).max().unwrap_or(0);
        let earliest = (self.held.len() + 1).saturating_sub(longest);
        let might = |at: &usize| {
            let end = self.held.get(*at..);
            end.is_some_and(|end| self.sequences.iter().any(|sequence| sequence.starts_with(end)))
        };
        (earliest..self.held.len()).find(might).unwrap_or(self.held.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stops: &[&str], texts: &[&str], expected: &str, stopped: bool) {
        let mut matcher = Stops::new(stops.iter().map(ToString::to_string).collect());
        let mut out = String::new();
        for text in texts {
            let (text, stop) = matcher.push(text);
            out.push_str(&text);
            if stop {
                assert_eq!((out.as_str(), true), (expected, stopped), "{stops:?} {texts:?}");
                return;
            }
        }
        out.push_str(&matcher.rest());
        assert_eq!((out.as_str(), false), (expected, stopped), "{stops:?} {texts:?}");
    }

    #[test]
    fn stops_wherever_the_borders_fall() {
        check(&[], &["a", "b"], "ab", false);
        check(&["END"], &["aENDb"], "a", true);
        check(&["END"], &["a E", "N", "D b"], "a ", true);
        check(&["END"], &["a EN", "T"], "a ENT", false);
        check(&["END"], &["a EN"], "a EN", false);
        check(&["aab"], &["aa", "ab"], "a", true);
        check(&["b", "ab"], &["xa", "b"], "x", true);
        check(&["\n\n"], &["one\n", "two\n", "\nthree"], "one\ntwo", true);
        check(&["é!"], &["caf", "é", "!"], "caf", true);
    }

    #[test]
    fn text_is_held_no_longer_than_needed() {
        let mut matcher = Stops::new(vec!["END".to_owned()]);
        assert_eq!(matcher.push("one E"), ("one ".to_owned(), false));
        assert_eq!(matcher.push("x"), ("Ex".to_owned(), false));
    }
}
