//! From text to tokens and back, and from a conversation to the one text that a model continues.

mod merge;
mod split;
mod template;
mod vocabulary;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::error::Error;
use crate::gguf::Metadata;
use merge::Merges;
use split::Splitter;
pub(crate) use template::{Message, Template};
pub(crate) use vocabulary::Vocabulary;

/// A noncharacter that no text means anything by: it keeps what a caller wrote from reading as a control token.
const BREAK: char = '\u{FDD0}';

/// The tokenizer that a GGUF file describes: byte-level BPE (`gpt2`) or SentencePiece BPE (`llama`).
pub(crate) struct Tokenizer {
    vocabulary: Vocabulary,
    merges: Merges,
    splitter: Splitter,
    /// Tokens that stand for themselves wherever their text occurs.
    special: AhoCorasick,
    special_ids: Vec<u32>,
    begin: Option<u32>,
    ends: Vec<u32>,
}

/// Tokens that end a turn, by name; files often name one only.
const ENDS: [&str; 8] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<eos>",
    "</s>",
    "<|end|>",
];

impl Tokenizer {
    /// Takes the vocabulary out of the metadata.
    pub(crate) fn read(metadata: &mut Metadata) -> Result<Self, Error> {
        let kind = metadata.text("tokenizer.ggml.model").unwrap_or("none").to_owned();
        let bytes = match kind.as_str() {
            "gpt2" => true,
            "llama" => false,
            other => {
                return Err(Error::model(format!("tokenizer {other} is not supported (gpt2 and llama are)")));
            }
        };
        let vocabulary = Vocabulary::read(metadata, bytes)?;
        let splitter = Splitter::new(bytes, metadata.text("tokenizer.ggml.pre").unwrap_or("default"))?;
        let merges = Merges::read(metadata, &vocabulary, bytes)?;

        let special_ids: Vec<u32> = vocabulary.special().collect();
        let texts = special_ids.iter().map(|id| vocabulary.literal(*id));
        let special = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(texts)
            .map_err(|error| Error::model(format!("the control tokens cannot be searched for: {error}")))?;

        let named = |key: &str| metadata.uint(&format!("tokenizer.ggml.{key}_token_id")).map(|id| id as u32);
        let mut ends: Vec<u32> = special_ids
            .iter()
            .copied()
            .filter(|id| ENDS.iter().any(|end| end.as_bytes() == vocabulary.literal(*id)))
            .chain(["eos", "eot", "eom"].into_iter().filter_map(named))
            .collect();
        ends.sort_unstable();
        ends.dedup();
        let begins = metadata.bool("tokenizer.ggml.add_bos_token").unwrap_or(!bytes);
        let begin = named("bos").filter(|_| begins);
        Ok(Self { vocabulary, merges, splitter, special, special_ids, begin, ends })
    }

    /// How many tokens there are.
    pub(crate) fn len(&self) -> usize {
        self.vocabulary.len()
    }

    /// A token's own text, for templates; empty if the file names no such token.
    pub(crate) fn named(&self, metadata: &Metadata, key: &str) -> String {
        let id = metadata.uint(&format!("tokenizer.ggml.{key}_token_id")).unwrap_or(usize::MAX);
        String::from_utf8_lossy(self.vocabulary.literal(id as u32)).into_owned()
    }

    /// Whether the model is done when it says this.
    pub(crate) fn ends(&self, token: u32) -> bool {
        self.ends.binary_search(&token).is_ok()
    }

    /// The bytes that a token adds to an answer; none for a control token. A token may hold part of a character.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        self.vocabulary.bytes(token)
    }

    /// Makes a caller's text safe to stand in a prompt: control tokens in it become plain text.
    pub(crate) fn guard(&self, text: &str) -> String {
        let text = text.replace(BREAK, "");
        let mut guarded = String::with_capacity(text.len());
        let mut done = 0;
        for found in self.special.find_iter(&text) {
            let control = self.special_ids.get(found.pattern().as_usize());
            if !control.is_some_and(|id| self.vocabulary.is_control(*id)) {
                continue;
            }
            let first = text[found.start()..].chars().next().map_or(0, char::len_utf8);
            guarded.push_str(&text[done..found.start() + first]);
            guarded.push(BREAK);
            done = found.start() + first;
        }
        guarded.push_str(&text[done..]);
        guarded
    }

    /// The tokens of a prompt, control tokens included.
    pub(crate) fn encode(&self, prompt: &str) -> Vec<u32> {
        let mut tokens = Vec::with_capacity(prompt.len() / 3);
        let mut done = 0;
        for found in self.special.find_iter(prompt) {
            self.plain(&prompt[done..found.start()], &mut tokens);
            tokens.extend(self.special_ids.get(found.pattern().as_usize()));
            done = found.end();
        }
        self.plain(&prompt[done..], &mut tokens);
        if let Some(begin) = self.begin
            && tokens.first() != Some(&begin)
        {
            tokens.insert(0, begin);
        }
        tokens
    }

    fn plain(&self, text: &str, tokens: &mut Vec<u32>) {
        let text = text.replace(BREAK, "");
        self.splitter.split(&text, |piece| self.merges.encode(&self.vocabulary, piece.as_bytes(), tokens));
    }
}

#[cfg(test)]
mod tests;
