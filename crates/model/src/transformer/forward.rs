//! One pass through the network.

use rayon::prelude::*;

use super::attention::{Cache, Stored, attend};
use super::hyper::Activation;
use super::matrix::Matrix;
use super::rope::Turn;
use super::{Layer, Transformer};

/// Tokens of a prompt that are computed together: enough to use each weight often, few enough to stay in the cache
/// and to notice a caller that has left.
pub(crate) const TOGETHER: usize = 128;

/// A product of a matrix with one vector, or with many.
///
/// The two round differently. A prompt always takes the second, however short, so that the same prompt gives the
/// same numbers whether or not its beginning was in memory.
type Product = fn(&Matrix, &[f32], &mut [f32]);

impl Transformer {
    /// Takes in a prompt of at most [`TOGETHER`] tokens and leaves the last one's state in `state`.
    pub(crate) fn take_in(&self, tokens: &[u32], cache: &mut Cache, state: &mut Vec<f32>) {
        self.pass(tokens, cache, Matrix::by_vectors, state);
    }

    /// Takes in one token that was generated.
    pub(crate) fn step(&self, token: u32, cache: &mut Cache, state: &mut Vec<f32>) {
        self.pass(&[token], cache, Matrix::by_vector, state);
    }

    /// How likely each token is to come next, as logits.
    pub(crate) fn logits(&self, state: &[f32], logits: &mut Vec<f32>) {
        let mut state = state.to_vec();
        normalise(&mut state, &self.output_norm, self.hyper.epsilon);
        logits.resize(self.hyper.vocabulary, 0.0);
        self.output.as_ref().unwrap_or(&self.embedding).by_vector(&state, logits);
    }

    fn pass(&self, tokens: &[u32], cache: &mut Cache, product: Product, last: &mut Vec<f32>) {
        let hyper = &self.hyper;
        let (count, from) = (tokens.len(), cache.len());
        let turns: Vec<(Turn, Turn)> =
            (from..from + count).map(|position| self.rope.turns(position)).collect();
        let mut states = vec![0.0; count * hyper.width];
        for (state, token) in states.chunks_exact_mut(hyper.width).zip(tokens) {
            self.embedding.row(*token as usize, state);
            state.iter_mut().for_each(|value| *value *= hyper.embedding_scale);
        }

        let mut work = Work {
            normed: vec![0.0; count * hyper.width],
            qkv: vec![0.0; count * self.qkv_width()],
            attended: vec![0.0; count * hyper.heads * hyper.head],
            gate_up: vec![0.0; count * 2 * hyper.feed],
            fed: vec![0.0; count * hyper.feed],
            change: vec![0.0; count * hyper.width],
        };
        for (layer, stored) in self.layers.iter().zip(cache.layers()) {
            self.attention(layer, stored, from, &turns, product, &mut states, &mut work);
            self.feed(layer, product, &mut states, &mut work);
        }
        cache.grown(count);
        last.clear();
        last.extend(states.chunks_exact(hyper.width).next_back().unwrap_or_default());
    }

    #[expect(clippy::too_many_arguments, reason = "one pass's state, which lives in its caller")]
    fn attention(
        &self,
        layer: &Layer,
        stored: &mut Stored,
        from: usize,
        turns: &[(Turn, Turn)],
        product: Product,
        states: &mut [f32],
        work: &mut Work,
    ) {
        let hyper = &self.hyper;
        normed(states, &layer.attention_norm, hyper.epsilon, &mut work.normed);
        product(&layer.qkv, &work.normed, &mut work.qkv);
        let (queries, keys) = (hyper.heads * hyper.head, hyper.kv_heads * hyper.head);
        for (row, (global, local)) in work.qkv.chunks_exact_mut(self.qkv_width()).zip(turns) {
            let turn = if layer.local { local } else { global };
            let (q, kv) = row.split_at_mut(queries);
            let (k, v) = kv.split_at_mut(keys);
            for (heads, norm) in [(q, &layer.query_norm), (&mut *k, &layer.key_norm)] {
                for head in heads.chunks_exact_mut(hyper.head) {
                    if let Some(norm) = norm {
                        normalise(head, norm, hyper.epsilon);
                    }
                    self.rope.apply(head, turn);
                }
            }
            stored.push(k, v);
        }
        let window = if layer.local { hyper.window } else { usize::MAX };
        attend(hyper, stored, (&work.qkv, self.qkv_width()), from, window, &mut work.attended);
        product(&layer.attention_output, &work.attended, &mut work.change);
        add(states, &mut work.change, layer.post_attention_norm.as_deref(), hyper.epsilon);
    }

    fn feed(&self, layer: &Layer, product: Product, states: &mut [f32], work: &mut Work) {
        let hyper = &self.hyper;
        normed(states, &layer.feed_norm, hyper.epsilon, &mut work.normed);
        product(&layer.gate_up, &work.normed, &mut work.gate_up);
        let activate = match hyper.activation {
            Activation::Silu => silu,
            Activation::Gelu => gelu,
        };
        let one = |(out, row): (&mut [f32], &[f32])| {
            let (gate, up) = row.split_at(hyper.feed);
            for (out, (gate, up)) in out.iter_mut().zip(gate.iter().zip(up)) {
                *out = activate(*gate) * up;
            }
        };
        let rows = work.fed.par_chunks_exact_mut(hyper.feed);
        rows.zip(work.gate_up.par_chunks_exact(2 * hyper.feed)).for_each(one);
        product(&layer.down, &work.fed, &mut work.change);
        add(states, &mut work.change, layer.post_feed_norm.as_deref(), hyper.epsilon);
    }

    fn qkv_width(&self) -> usize {
        (self.hyper.heads + 2 * self.hyper.kv_heads) * self.hyper.head
    }
}

/// What a pass computes on its way, a row per token.
struct Work {
    normed: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    gate_up: Vec<f32>,
    fed: Vec<f32>,
    change: Vec<f32>,
}

fn normed(states: &[f32], norm: &[f32], epsilon: f32, out: &mut [f32]) {
    out.copy_from_slice(states);
    out.chunks_exact_mut(norm.len()).for_each(|row| normalise(row, norm, epsilon));
}

/// Adds a layer's change, normalised first where the family does so.
fn add(states: &mut [f32], change: &mut [f32], norm: Option<&[f32]>, epsilon: f32) {
    if let Some(norm) = norm {
        change.chunks_exact_mut(norm.len()).for_each(|row| normalise(row, norm, epsilon));
    }
    states.iter_mut().zip(change).for_each(|(state, change)| *state += *change);
}

/// `x / sqrt(mean(x²) + ε) · norm` (`RMSNorm`, arXiv 1910.07467)
fn normalise(x: &mut [f32], norm: &[f32], epsilon: f32) {
    let mean = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32;
    let scale = 1.0 / (mean + epsilon).sqrt();
    x.iter_mut().zip(norm).for_each(|(x, norm)| *x *= scale * norm);
}

fn silu(x: f32) -> f32 {
    x / (1.0 + (-x).exp())
}

/// `½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))` (arXiv 1606.08415)
fn gelu(x: f32) -> f32 {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    0.5 * x * (1.0 + (SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x)).tanh())
}

#[cfg(test)]
mod tests;
