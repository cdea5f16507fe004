//! How a text is cut before its pieces are merged, each on its own.

use fancy_regex::Regex;

use crate::error::Error;

/// The patterns by `tokenizer.ggml.pre`, as in llama.cpp's `llama-vocab.cpp`. Each cuts what the one before left.
const PATTERNS: [(&str, &[&str]); 6] = [
    ("default", &[GPT2]),
    ("gpt-2", &[GPT2]),
    ("smollm", &[r"\p{N}", GPT2]),
    ("llama-bpe", &[LLAMA3]),
    ("llama3", &[LLAMA3]),
    ("qwen2", &[QWEN2]),
];

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A list of patterns; none: the text stays whole, as SentencePiece wants it.
pub(super) struct Splitter(Vec<Regex>);

impl Splitter {
    pub(super) fn new(byte_level: bool, name: &str) -> Result<Self, Error> {
        if !byte_level {
            return Ok(Self(Vec::new()));
        }
        let known = || PATTERNS.map(|(name, _)| name).join(", ");
        let (_, patterns) = PATTERNS.iter().find(|(known, _)| *known == name).ok_or_else(|| {
            Error::model(format!("pre-tokenizer {name} is not supported (supported: {})", known()))
        })?;
        let compiled = patterns.iter().map(|pattern| Regex::new(pattern)).collect::<Result<_, _>>();
        compiled.map(Self).map_err(|error| Error::model(error.to_string()))
    }

    /// Hands out the pieces in order; together they are the text.
    pub(super) fn split(&self, text: &str, mut piece: impl FnMut(&str)) {
        cut(&self.0, text, &mut piece);
    }
}

fn cut(patterns: &[Regex], text: &str, piece: &mut impl FnMut(&str)) {
    let Some((first, rest)) = patterns.split_first() else {
        if !text.is_empty() {
            piece(text);
        }
        return;
    };
    let mut done = 0;
    // A pattern that gives up (it may backtrack only so far) leaves the rest of the text whole.
    for found in first.find_iter(text).map_while(Result::ok) {
        cut(rest, &text[done..found.start()], piece);
        cut(rest, found.as_str(), piece);
        done = found.end();
    }
    cut(rest, &text[done..], piece);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(name: &str, text: &str) -> Vec<String> {
        let mut pieces = Vec::new();
        Splitter::new(true, name).expect("known").split(text, |piece| pieces.push(piece.to_owned()));
        assert_eq!(pieces.concat(), text);
        pieces
    }

    #[test]
    fn gpt2_keeps_a_space_with_its_word() {
        assert_eq!(pieces("gpt-2", "I'm  here, 42!\n"), ["I", "'m", " ", " here", ",", " 42", "!", "\n"]);
    }

    #[test]
    fn smollm_takes_digits_one_by_one() {
        assert_eq!(pieces("smollm", "a 42 b"), ["a", " ", "4", "2", " b"]);
    }

    #[test]
    fn llama3_takes_digits_by_threes() {
        assert_eq!(pieces("llama-bpe", "1234 It'S"), ["123", "4", " It", "'S"]);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert!(Splitter::new(true, "other").is_err());
    }
}
