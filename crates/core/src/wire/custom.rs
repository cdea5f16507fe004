//! Calls of custom tools: OpenAI's tools whose input is a text of any form, not an object.
//!
//! In the neutral form such a call's arguments are the object `{"input": text}`, so that dialects without custom tools
//! have something to say. A piece of the input is a piece of that object's text, with whole letters: what was cut
//! between two pieces is joined by joining them, and [`input`] takes each piece back by itself.

/// What stands before the input.
const OPENING: &str = "{\"input\":\"";
/// What ends the object: a piece of its own, once all of the input has come.
pub const CLOSING: &str = "\"}";

/// The first piece of the arguments, with as much of the input as is known.
pub fn begin(input: &str) -> String {
    format!("{OPENING}{}", piece(input))
}

/// A piece of the input as one of the arguments.
pub fn piece(input: &str) -> String {
    let quoted = serde_json::to_string(input).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// A whole input as arguments.
pub fn arguments(input: &str) -> String {
    begin(input) + CLOSING
}

/// The input in arguments, or in a piece of them; what is neither stays as it is.
pub fn input(arguments: &str) -> String {
    let piece = arguments.strip_prefix(OPENING).unwrap_or(arguments);
    let text = |piece: &str| super::json::parse::<String>(&format!("\"{piece}\"")).ok();
    // A quote of the input is escaped: one that is not belongs to the end.
    let read = text(piece).or_else(|| text(piece.strip_suffix(CLOSING)?));
    read.unwrap_or_else(|| arguments.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_come_back_whole_and_in_pieces() {
        for text in ["", "a", "\"}", "{\"input\":\"", "x\\", "\n\u{1}é😀", "{\"input\":\"x\"}"] {
            let whole = arguments(text);
            let read: serde_json::Value = serde_json::from_str(&whole).unwrap();
            assert_eq!(read["input"], text);
            assert_eq!(input(&whole), text);
            for (at, _) in text.char_indices() {
                let (one, other) = text.split_at(at);
                let pieces = [begin(one), piece(other), CLOSING.to_owned()];
                assert_eq!(pieces.concat(), whole);
                assert_eq!(pieces.map(|it| input(&it)).concat(), text);
            }
        }
        assert_eq!(input("{\"other\":1}"), "{\"other\":1}");
    }
}
