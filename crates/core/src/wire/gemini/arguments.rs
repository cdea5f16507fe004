//! A call's arguments that come in pieces, each with the JSON Path (RFC 9535) of its place.

use crate::wire::answer::MAX_KEPT;

/// The deepest place.
const MAX_STEPS: usize = 64;
/// The most members of one object, and items of one array.
const MAX_ENTRIES: usize = 4096;

/// An object that grows. Its members keep the order in which they came.
#[derive(Debug)]
pub(super) struct Arguments {
    root: Node,
    /// About how many bytes it has.
    size: usize,
}

/// A value of a piece.
pub(super) enum Piece<'a> {
    /// Joined to the text that is already there.
    Text(&'a str),
    /// JSON of a number, a truth value or null.
    Plain(&'a str),
}

#[derive(Debug)]
enum Node {
    Plain(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Debug, PartialEq)]
enum Step {
    Member(String),
    Item(usize),
}

impl Default for Arguments {
    fn default() -> Self {
        Self { root: Node::Object(Vec::new()), size: 2 }
    }
}

impl Arguments {
    /// Puts a piece in its place; `None` where it has none, or beyond the bounds.
    pub(super) fn place(&mut self, path: &str, piece: &Piece<'_>) -> Option<()> {
        let value = match piece {
            Piece::Text(text) | Piece::Plain(text) => text.len(),
        };
        self.size = self.size.saturating_add(path.len()).saturating_add(value);
        let steps = steps(path).filter(|steps| !steps.is_empty() && self.size <= MAX_KEPT)?;
        let mut node = &mut self.root;
        for step in steps {
            node = node.enter(step)?;
        }
        match (node, piece) {
            (Node::Text(whole), Piece::Text(text)) => whole.push_str(text),
            (node, Piece::Text(text)) if node.is_empty() => *node = Node::Text((*text).to_owned()),
            (node, Piece::Plain(text)) if node.is_empty() => *node = Node::Plain((*text).to_owned()),
            _ => return None,
        }
        Some(())
    }

    /// The object's JSON.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.size);
        self.root.write(&mut text);
        text
    }
}

impl Node {
    fn null() -> Self {
        Self::Plain("null".to_owned())
    }

    /// Whether nothing was put here yet. A null of the model's own is never followed by another value.
    fn is_empty(&self) -> bool {
        matches!(self, Self::Plain(text) if text == "null")
    }

    fn enter(&mut self, step: Step) -> Option<&mut Self> {
        if self.is_empty() {
            *self = match step {
                Step::Member(_) => Self::Object(Vec::new()),
                Step::Item(_) => Self::List(Vec::new()),
            };
        }
        match (self, step) {
            (Self::Object(members), Step::Member(name)) => {
                // The place that is written to is nearly always the last.
                let place = members.iter().rposition(|(known, _)| *known == name);
                let place = place.unwrap_or_else(|| {
                    members.push((name, Self::null()));
                    members.len().saturating_sub(1)
                });
                let member = members.get_mut(place).filter(|_| place < MAX_ENTRIES);
                member.map(|(_, node)| node)
            }
            (Self::List(items), Step::Item(index)) if index < MAX_ENTRIES => {
                while items.len() <= index {
                    items.push(Self::null());
                }
                items.get_mut(index)
            }
            _ => None,
        }
    }

    /// No deeper than [`MAX_STEPS`].
    fn write(&self, out: &mut String) {
        match self {
            Self::Plain(text) => out.push_str(text),
            Self::Text(text) => out.push_str(&serde_json::to_string(text).unwrap_or_default()),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(&serde_json::to_string(name).unwrap_or_default());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// `$.foo['a b'][0]` as its steps.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, after) = name.split_at_checked(end)?;
            (Step::Member(name.to_owned()), after)
        } else {
            bracketed(rest.strip_prefix('[')?)?
        };
        steps.push(step);
        rest = after;
        if steps.len() > MAX_STEPS {
            return None;
        }
    }
    Some(steps)
}

/// `0]` or `'a b']`, and what follows.
fn bracketed(rest: &str) -> Option<(Step, &str)> {
    let Some(quote) = rest.chars().next().filter(|first| matches!(first, '\'' | '"')) else {
        let (number, after) = rest.split_once(']')?;
        return Some((Step::Item(number.parse().ok()?), after));
    };
    let mut name = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((_, letter)) = letters.next() {
        if letter == quote {
            let (place, _) = letters.next().filter(|(_, end)| *end == ']')?;
            let (_, after) = rest.split_at_checked(place.saturating_add(1))?;
            return Some((Step::Member(name), after));
        }
        match letter {
            '\\' => name.push(match letters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => escaped(&mut letters)?,
                other => other,
            }),
            letter => name.push(letter),
        }
    }
    None
}

/// The four digits after `\u`. Halves of a pair are refused: Google writes such letters as they are.
fn escaped(letters: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let digits: String = letters.take(4).map(|(_, letter)| letter).collect();
    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(pieces: &[(&str, Piece<'_>)]) -> Option<String> {
        let mut arguments = Arguments::default();
        for (path, piece) in pieces {
            arguments.place(path, piece)?;
        }
        Some(arguments.text())
    }

    #[test]
    fn pieces_are_put_in_their_places() {
        let pieces = [
            ("$.z", Piece::Text("a\"")),
            ("$.z", Piece::Text("b")),
            ("$.list[0].n", Piece::Plain("1.50")),
            ("$.list[1]", Piece::Plain("null")),
            ("$['a b'][\"it's\"]['\\u0041\\'']", Piece::Plain("true")),
            ("$.empty", Piece::Text("")),
        ];
        assert_eq!(
            gathered(&pieces).as_deref(),
            Some(r#"{"z":"a\"b","list":[{"n":1.50},null],"a b":{"it's":{"A'":true}},"empty":""}"#)
        );
        assert_eq!(gathered(&[]).as_deref(), Some("{}"));
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let deep = format!("${}", ".a".repeat(MAX_STEPS + 1));
        let wide = format!("$.a[{MAX_ENTRIES}]");
        for path in
            ["", "$", "a", "$a", "$[", "$['a", "$['a'", "$.a[-1]", "$.a[x]", "$['\\ud800']", &deep, &wide]
        {
            assert_eq!(gathered(&[(path, Piece::Plain("1"))]), None, "{path}");
        }
        assert_eq!(gathered(&[("$.a", Piece::Plain("1")), ("$.a.b", Piece::Plain("1"))]), None);
        assert_eq!(gathered(&[("$.a", Piece::Plain("1")), ("$.a", Piece::Text("x"))]), None);
        let large = "x".repeat(MAX_KEPT);
        assert_eq!(gathered(&[("$.a", Piece::Text(&large))]), None);
    }
}
