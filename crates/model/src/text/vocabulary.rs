//! The tokens of a model, in both directions.

use crate::error::Error;
use crate::gguf::Metadata;

/// ggml's token types (`llama_token_type`).
const NORMAL: u8 = 1;
const CONTROL: u8 = 3;
const USER: u8 = 4;
const BYTE: u8 = 6;

/// SentencePiece writes a space as this (U+2581).
const SPACE: &str = "\u{2581}";

/// Every token's bytes in one piece of memory: there may be a quarter of a million.
pub(crate) struct Vocabulary {
    /// For a byte token the byte itself, for any other its text.
    texts: Vec<u8>,
    /// Where each token begins in `texts`, and the end.
    starts: Vec<u32>,
    kinds: Vec<u8>,
    /// Normal tokens by their text.
    sorted: Vec<u32>,
    /// The token of each byte that no other token spells.
    bytes: Vec<Option<u32>>,
    /// Higher is merged earlier; empty in a byte-level vocabulary.
    scores: Vec<f32>,
}

impl Vocabulary {
    pub(super) fn read(metadata: &mut Metadata, byte_level: bool) -> Result<Self, Error> {
        let missing = || Error::model("the file has no vocabulary");
        let tokens = metadata.take_texts("tokenizer.ggml.tokens").ok_or_else(missing)?;
        let kinds: Vec<u8> = match metadata.take_numbers("tokenizer.ggml.token_type") {
            Some(kinds) => kinds.iter().map(|kind| *kind as u8).collect(),
            None => vec![NORMAL; tokens.len()],
        };
        let scores = metadata.take_numbers("tokenizer.ggml.scores").unwrap_or_default();
        let count = |list: usize| list == tokens.len();
        if !count(kinds.len()) || (!byte_level && !count(scores.len())) || tokens.len() >= u32::MAX as usize {
            return Err(Error::model("the vocabulary's lists are of different lengths"));
        }

        let mut vocabulary = Self {
            texts: Vec::new(),
            starts: vec![0],
            kinds,
            sorted: Vec::new(),
            bytes: vec![None; 256],
            scores,
        };
        for (id, token) in tokens.iter().enumerate() {
            match vocabulary.kinds.get(id) {
                Some(&BYTE) => {
                    let byte =
                        byte(token).ok_or_else(|| Error::model(format!("{token} is not a byte token")))?;
                    vocabulary.texts.push(byte);
                    vocabulary.bytes[usize::from(byte)] = Some(id as u32);
                }
                Some(&NORMAL) if byte_level => vocabulary.texts.extend(unmapped(token)),
                Some(&(NORMAL | USER)) => vocabulary.texts.extend(token.replace(SPACE, " ").bytes()),
                _ => vocabulary.texts.extend(token.bytes()),
            }
            vocabulary.starts.push(vocabulary.texts.len() as u32);
        }
        let mut sorted: Vec<u32> =
            (0..tokens.len() as u32).filter(|id| vocabulary.kind(*id) == NORMAL).collect();
        sorted.sort_unstable_by(|a, b| vocabulary.literal(*a).cmp(vocabulary.literal(*b)));
        vocabulary.sorted = sorted;
        Ok(vocabulary)
    }

    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// The normal token that is spelled so.
    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        let at = self.sorted.binary_search_by(|id| self.literal(*id).cmp(text)).ok()?;
        self.sorted.get(at).copied()
    }

    /// The token for a byte that no other token spells.
    pub(super) fn byte(&self, byte: u8) -> Option<u32> {
        self.bytes.get(usize::from(byte)).copied().flatten()
    }

    pub(super) fn score(&self, id: u32) -> f32 {
        self.scores.get(id as usize).copied().unwrap_or(f32::NEG_INFINITY)
    }

    /// A token's text, a control token's name included.
    pub(crate) fn literal(&self, id: u32) -> &[u8] {
        let range = || {
            let id = id as usize;
            Some(*self.starts.get(id)? as usize..*self.starts.get(id + 1)? as usize)
        };
        range().and_then(|range| self.texts.get(range)).unwrap_or_default()
    }

    /// What a token adds to an answer.
    pub(super) fn bytes(&self, id: u32) -> &[u8] {
        match self.kind(id) {
            NORMAL | USER | BYTE => self.literal(id),
            _ => &[],
        }
    }

    /// Tokens that are found in a text before anything else is: control and user-defined ones.
    pub(super) fn special(&self) -> impl Iterator<Item = u32> {
        (0..self.len() as u32)
            .filter(|id| matches!(self.kind(*id), CONTROL | USER) && !self.literal(*id).is_empty())
    }

    pub(super) fn is_control(&self, id: u32) -> bool {
        self.kind(id) == CONTROL
    }

    fn kind(&self, id: u32) -> u8 {
        self.kinds.get(id as usize).copied().unwrap_or(0)
    }
}

/// `<0x0A>` → 10
fn byte(token: &str) -> Option<u8> {
    u8::from_str_radix(token.strip_prefix("<0x")?.strip_suffix('>')?, 16).ok()
}

/// Undoes GPT-2's spelling of bytes (`bytes_to_unicode` of its encoder): printable bytes stand for themselves, the
/// others are numbered from U+0100 on, in order.
pub(super) fn unmapped(token: &str) -> Vec<u8> {
    let byte = |c| match u32::from(c) {
        n @ 0x100..=0x120 => (n - 0x100) as u8,
        n @ 0x121..=0x142 => (n - 0x121 + 0x7f) as u8,
        0x143 => 0xad,
        n => n as u8,
    };
    token.chars().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_spelled_as_gpt2_spells_them() {
        let mut next = 0x100;
        for byte in 0..=255_u8 {
            let printable = matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
            let spelled = if printable { u32::from(byte) } else { next };
            next += u32::from(!printable);
            let spelled = char::from_u32(spelled).expect("a character").to_string();
            assert_eq!(unmapped(&spelled), [byte], "{spelled}");
        }
    }

    #[test]
    fn byte_tokens() {
        assert_eq!(byte("<0x0A>"), Some(10));
        assert_eq!(byte("<0xFF>"), Some(255));
        assert_eq!(byte("a"), None);
    }
}
