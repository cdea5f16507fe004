//! Byte-pair merging: the best pair of neighbours becomes one, until no pair is in the vocabulary.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::vocabulary::{Vocabulary, unmapped};
use crate::error::Error;
use crate::gguf::Metadata;

/// Which pairs merge, and which of two goes first.
pub(super) enum Merges {
    /// A ranked list of pairs, over bytes.
    Ranked(HashMap<(u32, u32), (u32, u32)>),
    /// Any pair that spells a token, the token with the highest score first, over characters (SentencePiece).
    Scored,
}

/// A run of bytes that may be a token; neighbours are found by index.
struct Symbol {
    start: usize,
    end: usize,
    token: Option<u32>,
    before: Option<usize>,
    after: Option<usize>,
}

/// A pair that may be merged, as it was when it was found. The first in order is merged first, the leftmost of
/// equals. A score is turned so that a lower number is better, as a rank is.
type Pair = Reverse<(u32, usize, usize, usize, u32)>;

impl Merges {
    pub(super) fn read(
        metadata: &mut Metadata,
        vocabulary: &Vocabulary,
        byte_level: bool,
    ) -> Result<Self, Error> {
        if !byte_level {
            return Ok(Self::Scored);
        }
        let missing = || Error::model("the file has no list of merges");
        let list = metadata.take_texts("tokenizer.ggml.merges").ok_or_else(missing)?;
        let mut ranked = HashMap::with_capacity(list.len());
        for (rank, pair) in list.iter().enumerate() {
            let tokens = || {
                let (left, right) = pair.split_once(' ')?;
                let (left, right) = (unmapped(left), unmapped(right));
                let whole = vocabulary.find(&[left.as_slice(), &right].concat())?;
                Some((vocabulary.find(&left)?, vocabulary.find(&right)?, whole))
            };
            let unusable = || Error::model(format!("merge {rank} is not of tokens in the vocabulary"));
            let (left, right, whole) = tokens().ok_or_else(unusable)?;
            ranked.entry((left, right)).or_insert((rank as u32, whole));
        }
        Ok(Self::Ranked(ranked))
    }

    /// Appends the tokens of a piece.
    pub(super) fn encode(&self, vocabulary: &Vocabulary, piece: &[u8], tokens: &mut Vec<u32>) {
        let mut symbols = self.symbols(vocabulary, piece);
        let mut pairs = BinaryHeap::new();
        for i in 1..symbols.len() {
            self.consider(vocabulary, piece, &symbols, (i - 1, i), &mut pairs);
        }
        while let Some(Reverse((_, left, right, end, token))) = pairs.pop() {
            // Either side may have been merged since; then this pair is no more.
            if symbols[left].after != Some(right) || symbols[right].end != end {
                continue;
            }
            let after = symbols[right].after;
            symbols[left].end = end;
            symbols[left].token = Some(token);
            symbols[left].after = after;
            // An empty symbol matches no pair that is still waiting.
            symbols[right].end = symbols[right].start;
            symbols[right].after = None;
            if let Some(after) = after {
                symbols[after].before = Some(left);
                self.consider(vocabulary, piece, &symbols, (left, after), &mut pairs);
            }
            if let Some(before) = symbols[left].before {
                self.consider(vocabulary, piece, &symbols, (before, left), &mut pairs);
            }
        }
        let mut at = (!symbols.is_empty()).then_some(0);
        while let Some(symbol) = at.and_then(|at| symbols.get(at)) {
            match symbol.token {
                Some(token) => tokens.push(token),
                None => tokens
                    .extend(piece[symbol.start..symbol.end].iter().filter_map(|byte| vocabulary.byte(*byte))),
            }
            at = symbol.after;
        }
    }

    fn symbols(&self, vocabulary: &Vocabulary, piece: &[u8]) -> Vec<Symbol> {
        let begins = |at: usize, byte: u8| match self {
            Self::Ranked(_) => true,
            // A continuation byte of UTF-8 belongs to the character before.
            Self::Scored => at == 0 || byte & 0xc0 != 0x80,
        };
        let starts: Vec<usize> =
            piece.iter().enumerate().filter(|(at, byte)| begins(*at, **byte)).map(|(at, _)| at).collect();
        let count = starts.len();
        let ends = starts.iter().copied().skip(1).chain([piece.len()]);
        let ranges = starts.iter().copied().zip(ends).enumerate();
        ranges
            .map(|(i, (start, end))| Symbol {
                start,
                end,
                token: vocabulary.find(&piece[start..end]),
                before: i.checked_sub(1),
                after: (i + 1 < count).then_some(i + 1),
            })
            .collect()
    }

    fn consider(
        &self,
        vocabulary: &Vocabulary,
        piece: &[u8],
        symbols: &[Symbol],
        (left, right): (usize, usize),
        pairs: &mut BinaryHeap<Pair>,
    ) {
        let (first, second) = (&symbols[left], &symbols[right]);
        let found = match self {
            Self::Ranked(ranked) => first.token.zip(second.token).and_then(|pair| ranked.get(&pair)).copied(),
            Self::Scored => vocabulary
                .find(&piece[first.start..second.end])
                .map(|token| (descending(vocabulary.score(token)), token)),
        };
        if let Some((order, token)) = found {
            pairs.push(Reverse((order, left, right, second.end, token)));
        }
    }
}

/// Maps numbers to integers in the opposite order.
fn descending(score: f32) -> u32 {
    let bits = score.to_bits();
    // The order of IEEE 754 numbers as sign and magnitude, turned over.
    if bits >> 31 == 0 { !bits & 0x7fff_ffff } else { bits }
}

#[cfg(test)]
mod tests {
    use super::descending;

    #[test]
    fn higher_scores_come_first() {
        let scores = [3.0, 0.5, 0.0, -1.0, -7.5, f32::NEG_INFINITY];
        assert!(scores.is_sorted_by_key(|score| descending(*score)));
    }
}
