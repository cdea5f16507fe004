//! What is wrong with a configuration, with its line and, for an unknown key, the nearest known one.
//!
//! The text of a value is never repeated: somebody may have pasted a secret where its name belongs.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1, where it can be told.
    pub line: Option<usize>,
    /// One line for a person.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl Problem {
    /// Of a text that is no TOML.
    pub(super) fn of_parser(text: &str, error: &toml::de::Error) -> Self {
        let what = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { line: error.span().map(|span| line_at(text, &span)), what }
    }

    /// Of what stands there.
    pub(super) fn on(text: &str, span: &Range<usize>, what: String) -> Self {
        Self { line: Some(line_at(text, span)), what }
    }

    /// Of a name that a table does not have, with the one that was most likely meant.
    pub(super) fn unknown(text: &str, span: &Range<usize>, name: &str, known: &[&str]) -> Self {
        let near = nearest(name, known).map_or_else(
            || format!("known here: {}", known.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        Self::on(text, span, format!("the key `{name}` is not known here; {near}"))
    }

    /// Of the value at a path of keys and positions, such as `targets.1.base_url`; its nearest parent's line where
    /// the value itself is not written.
    pub(super) fn at(text: &str, path: &str, what: impl Into<String>) -> Self {
        let what = format!("`{path}` {}", what.into());
        let line = DeTable::parse(text).ok().and_then(|root| span_of(&root, path));
        Self { line: line.map(|span| line_at(text, &span)), what }
    }
}

fn line_at(text: &str, span: &Range<usize>) -> usize {
    let before = text.bytes().take(span.start);
    before.filter(|byte| *byte == b'\n').count().saturating_add(1)
}

fn span_of(root: &Spanned<DeTable<'_>>, path: &str) -> Option<Range<usize>> {
    let mut names = path.split('.');
    let (key, mut value) = root.get_ref().get_key_value(names.next()?)?;
    let mut span = key.span();
    for name in names {
        match value.get_ref() {
            DeValue::Table(table) => {
                let Some((key, next)) = table.get_key_value(name) else { break };
                (span, value) = (key.span(), next);
            }
            DeValue::Array(items) => {
                let Some(next) = name.parse().ok().and_then(|at: usize| items.get(at)) else { break };
                (span, value) = (next.span(), next);
            }
            _ => break,
        }
    }
    Some(span)
}

/// The known name that was most likely meant. Jaro-Winkler favours a common beginning, as names here have.
fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|name| (strsim::jaro_winkler(unknown, name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.7).then_some(*best.1)
}
