//! A response with fixed words in place of what is another in each run or on each host: ids,
//! times, the trace, the case's own models, a transport's words for a connection that broke.

use std::fmt::Write as _;

use crate::client::Response;

/// What the wall writes as the time of every answer; it is the same each time.
const WALLS_TIME: &str = "1700000000";

/// Headers that a caller's client acts on. The others belong to the host.
const HEADERS: [&str; 5] =
    ["content-type", "retry-after", "x-opencode-target", "x-opencode-tried", "x-opencode-notice"];

/// Status, headers and body. `models` are the case's own, with the word for each.
pub fn plain(response: &Response, body: &str, models: &[(&str, &str)]) -> String {
    let mut head = format!("{}\n", response.status);
    for name in HEADERS {
        if let Some(value) = response.header(name) {
            let _ = writeln!(head, "{name}: {value}");
        }
    }
    let mut text = format!("{head}\n{body}");
    for (model, word) in models {
        text = text.replace(model, word);
    }
    if let Some(trace) = response.header("x-opencode-trace") {
        text = text.replace(trace, "TRACE");
    }
    for name in ["\"created\":", "\"created_at\":", "\"completed_at\":"] {
        text = number(&text, name, "TIME");
    }
    ids(&broke(&number(&text, "\"time_ms\":", "MS")))
}

/// The word for every number that follows a member's name.
fn number(text: &str, name: &str, word: &str) -> String {
    let mut parts = text.split(name);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (value, rest) = part.split_at(digits);
        let word = if value.is_empty() || value == WALLS_TIME { value } else { word };
        plain.extend([name, word, rest]);
    }
    plain
}

/// `WHY` for what a host says of a connection that broke, to the end of the JSON string.
fn broke(text: &str) -> String {
    const BEFORE: &str = "the connection to the provider broke: ";
    let mut parts = text.split(BEFORE);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find('"').unwrap_or(part.len());
        plain.extend([BEFORE, "WHY", &part[end..]]);
    }
    plain
}

/// `ID1`, `ID2` and so on for every ULID: the same word for the same one.
fn ids(text: &str) -> String {
    let mut known: Vec<&str> = Vec::new();
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(from) = rest.find(is_crockford) {
        let length = rest[from..].find(|c| !is_crockford(c)).unwrap_or(rest.len() - from);
        let (run, after) = rest[from..].split_at(length);
        plain.push_str(&rest[..from]);
        rest = after;
        if length != ULID {
            plain.push_str(run);
            continue;
        }
        let place = known.iter().position(|id| *id == run).unwrap_or_else(|| {
            known.push(run);
            known.len() - 1
        });
        let _ = write!(plain, "ID{}", place + 1);
    }
    plain + rest
}

/// Characters of a ULID. <https://github.com/ulid/spec>
const ULID: usize = 26;

fn is_crockford(c: char) -> bool {
    c.is_ascii_digit() || (c.is_ascii_uppercase() && !"ILOU".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_gets_a_word_and_the_rest_stays() {
        let (one, other) = ("01KAQ3J9Q8E5T3W6Z7X8Y9ABCD", "01KAQ3J9Q8E5T3W6Z7X8Y9ABCE");
        assert_eq!(ids(&format!("a_{one}_0 {other} {one} OK 12")), "a_ID1_0 ID2 ID1 OK 12");
        assert_eq!(ids(&format!("{one}A")), format!("{one}A"), "one character more is no id");
        assert_eq!(number(r#"{"a":1790000001,"a":1700000000}"#, "\"a\":", "T"), r#"{"a":T,"a":1700000000}"#);
        let said = r#"{"message":"the connection to the provider broke: reset","x":1}"#;
        assert_eq!(broke(said), said.replace("reset", "WHY"));
        assert_eq!(number(r#"{"a":null}"#, "\"a\":", "T"), r#"{"a":null}"#);
    }
}
