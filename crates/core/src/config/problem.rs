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
    /// Of a text that is no TOML, or not of the configuration's types.
    pub(super) fn of_parser(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map(|span| line_at(text, &span));
        let member = line.and_then(|line| member_on(text, line));
        Self { line, what: reworded(error.message(), member) }
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

/// The key that stands on a line.
fn member_on(text: &str, line: usize) -> Option<&str> {
    let line = text.lines().nth(line.checked_sub(1)?)?;
    let key = line.split_once('=')?.0.trim();
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    plain.then_some(key)
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

/// serde's and the parser's messages in one line, without the text of any value.
fn reworded(message: &str, member: Option<&str>) -> String {
    let quoted =
        |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let names = quoted(rest);
        let Some((unknown, known)) = names.split_first() else { return "there is an unknown key".to_owned() };
        let near = nearest(unknown, known);
        let near = near.map_or_else(
            || format!("known here: {}", known.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return format!("the key `{unknown}` is not known here; {near}");
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return format!("{} is missing", rest.trim());
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let names = quoted(rest);
        let known = names.get(1..).unwrap_or_default().join(", ");
        return format!("`{}` must be one of {known}", member.unwrap_or("this"));
    }
    let wrong = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    if let Some(rest) = wrong {
        let expected = rest.rsplit_once(", expected ").map_or("something else", |(_, expected)| expected);
        return format!("`{}` must be {}", member.unwrap_or("this"), in_words(expected));
    }
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "f64" | "f32" => "a number",
        "a string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

/// The known name that was most likely meant. Jaro-Winkler favours a common beginning, as names here have.
fn nearest<'a>(unknown: &str, known: &'a [String]) -> Option<&'a str> {
    let scored = known.iter().map(|name| (strsim::jaro_winkler(unknown, name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.7).then_some(best.1.as_str())
}
