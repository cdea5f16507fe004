//! Attention, and the memory it looks back on.

use rayon::prelude::*;

use super::hyper::Hyper;
use super::kernels::{add_scaled, dot, narrow};

/// Heads times positions below which waking another thread costs more than it saves.
const WORTH_A_THREAD: usize = 4_096;

/// The keys and values of every token so far, in bfloat16: the format such models are trained in.
pub(crate) struct Cache {
    layers: Vec<Stored>,
    row: usize,
    len: usize,
}

/// One layer's: token after token, each with all its heads.
#[derive(Default)]
pub(crate) struct Stored {
    keys: Vec<u16>,
    values: Vec<u16>,
}

impl Cache {
    /// `row`: numbers of one token's keys in one layer.
    pub(super) fn new(layers: usize, row: usize) -> Self {
        Self { layers: (0..layers).map(|_| Stored::default()).collect(), row, len: 0 }
    }

    /// Tokens in memory.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Forgets all but the first `len` tokens.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        for stored in &mut self.layers {
            stored.keys.truncate(self.len * self.row);
            stored.values.truncate(self.len * self.row);
        }
    }

    pub(super) fn layers(&mut self) -> impl Iterator<Item = &mut Stored> {
        self.layers.iter_mut()
    }

    pub(super) fn grown(&mut self, tokens: usize) {
        self.len += tokens;
    }
}

impl Stored {
    /// Appends one token.
    pub(super) fn push(&mut self, keys: &[f32], values: &[f32]) {
        self.keys.extend(keys.iter().map(|key| narrow(*key)));
        self.values.extend(values.iter().map(|value| narrow(*value)));
    }
}

/// What the queries of tokens from position `from` on draw out of the memory, which holds these tokens already.
///
/// `queries` has a row of `stride` numbers per token that begins with its heads; `out` gets the heads only.
/// `window`: how many tokens are seen, the token's own included.
pub(super) fn attend(
    hyper: &Hyper,
    stored: &Stored,
    (queries, stride): (&[f32], usize),
    from: usize,
    window: usize,
    out: &mut [f32],
) {
    let (head, width) = (hyper.head, hyper.heads * hyper.head);
    let shared = hyper.heads / hyper.kv_heads;
    let row = hyper.kv_heads * head;
    let scale = 1.0 / (head as f32).sqrt();
    let one = |(nth, out): (usize, &mut [f32]), weights: &mut Vec<f32>| {
        let (token, nth) = (nth / hyper.heads, nth % hyper.heads);
        let Some(query) =
            queries.chunks_exact(stride).nth(token).and_then(|row| row.chunks_exact(head).nth(nth))
        else {
            return;
        };
        let seen = from + token + 1;
        let first = seen.saturating_sub(window);
        let at = nth / shared * head;
        let column = |all| Column { all, row, at, head }.rows(first, seen);

        weights.clear();
        weights.extend(column(&stored.keys).map(|key| dot(query, key) * scale));
        soften(weights);
        out.fill(0.0);
        for (weight, value) in weights.iter().zip(column(&stored.values)) {
            add_scaled(out, *weight, value);
        }
    };
    let work = out.len() / head * (from + 1);
    if work < WORTH_A_THREAD {
        let mut weights = Vec::new();
        out.chunks_exact_mut(head).enumerate().for_each(|out| one(out, &mut weights));
    } else {
        let least = if out.len() > width { hyper.heads } else { 1 };
        out.par_chunks_exact_mut(head)
            .enumerate()
            .with_min_len(least)
            .for_each_init(Vec::new, |weights, out| one(out, weights));
    }
}

/// One head of every token.
struct Column<'a> {
    all: &'a [u16],
    row: usize,
    at: usize,
    head: usize,
}

impl<'a> Column<'a> {
    fn rows(self, first: usize, end: usize) -> impl Iterator<Item = &'a [u16]> {
        let rows = self.all.chunks_exact(self.row).take(end).skip(first);
        rows.filter_map(move |row| row.get(self.at..self.at + self.head))
    }
}

/// Softmax, in place.
pub(crate) fn soften(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - largest).exp();
        sum += *score;
    }
    let inverse = 1.0 / sum;
    scores.iter_mut().for_each(|score| *score *= inverse);
}
