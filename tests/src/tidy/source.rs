//! Rust source without what the compiler does not run.

/// The code of a Rust file: comments and the insides of literals become spaces, lines stay where they are.
pub fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = comment(rest).or_else(|| literal(rest, out.chars().last())).unwrap_or(0);
        if hidden > 0 {
            out.extend(rest[..hidden].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[hidden..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// The identifiers and keywords of a piece of code.
pub fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Line number, from 1, and words of each line.
pub fn numbered(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// The length of the comment that starts here. Block comments nest.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while text.starts_with("/*") && at < text.len() {
        let here = &text[at..];
        if here.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    (at > 0).then_some(at)
}

/// The length of the string or character that starts here, after the character `before`.
fn literal(text: &str, before: Option<char>) -> Option<usize> {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if !in_word && let Some(raw) = text.strip_prefix('r').or_else(|| text.strip_prefix("br")) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = text.len() - raw.len() + hashes + 1;
            return Some(text[start..].find(&end).map_or(text.len(), |at| start + at + end.len()));
        }
    }
    if let Some(inside) = text.strip_prefix('"') {
        return Some(1 + closing(inside, '"').unwrap_or(inside.len()));
    }
    let inside = text.strip_prefix('\'')?;
    let mut chars = inside.chars();
    match (chars.next()?, chars.next()?) {
        ('\\', _) => closing(inside, '\'').map(|length| 1 + length),
        (one, '\'') => Some(2 + one.len_utf8()),
        // A lifetime.
        _ => None,
    }
}

/// The length up to and with the closing quote.
fn closing(inside: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        if !escaped && c == quote {
            return Some(at + c.len_utf8());
        }
        escaped = !escaped && c == '\\';
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left() {
        let text = "let a = \"dyn \\\" x\"; // dyn\n/* dyn /* dyn */ dyn */ fn f<'a>(c: char) { c == 'd' || c == '\\''; r#\"dyn \" dyn\"# }";
        let code = code(text);
        assert!(!code.contains("dyn"), "{code}");
        assert!(code.contains("fn f<'a>(c: char)") && code.contains("let a ="), "{code}");
        assert_eq!(code.lines().count(), text.lines().count());
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(words("unsafe_code, a.b").collect::<Vec<_>>(), ["unsafe_code", "a", "b"]);
    }
}
