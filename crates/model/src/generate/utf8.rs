//! Text from tokens that may each hold part of a character.

/// Collects bytes and gives out whole characters.
#[derive(Default)]
pub(super) struct Utf8 {
    /// The beginning of a character, at most three bytes.
    begun: Vec<u8>,
}

impl Utf8 {
    /// Takes in bytes and gives the characters that are complete. Bytes that are no text become U+FFFD.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.begun.extend_from_slice(bytes);
        let mut text = String::new();
        let mut begun = 0;
        for chunk in self.begun.utf8_chunks() {
            text.push_str(chunk.valid());
            begun += chunk.valid().len();
            let rest = chunk.invalid();
            let last = begun + rest.len() == self.begun.len();
            if last && std::str::from_utf8(rest).is_err_and(|error| error.error_len().is_none()) {
                break;
            }
            if !rest.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            begun += rest.len();
        }
        self.begun.drain(..begun);
        text
    }

    /// The end has come: a character that was begun is none.
    pub(super) fn rest(self) -> String {
        String::from_utf8_lossy(&self.begun).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_come_out_whole() {
        let text = "aé€😀z";
        for each in 1..=5 {
            let mut assembler = Utf8::default();
            let mut out: String = text.as_bytes().chunks(each).map(|bytes| assembler.push(bytes)).collect();
            out.push_str(&assembler.rest());
            assert_eq!(out, text, "{each} bytes at a time");
        }
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        let mut assembler = Utf8::default();
        assert_eq!(assembler.push(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(assembler.push(b"\xe2\x82"), "");
        assert_eq!(assembler.push(b"x"), "\u{fffd}x");
        assert_eq!(assembler.push(b"\xf0\x9f"), "");
        assert_eq!(assembler.rest(), "\u{fffd}");
    }
}
