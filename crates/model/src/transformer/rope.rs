//! Rotary position embedding (RoFormer, arXiv 2104.09864): pairs of numbers are turned by an angle that grows with
//! the token's position.

use super::hyper::{Hyper, Pairs};

/// The angles per position, for global and for local layers.
pub(crate) struct Rope {
    pairs: Pairs,
    global: Vec<f32>,
    local: Vec<f32>,
}

/// Cosine and sine of each pair, for one position.
pub(crate) type Turn = Vec<(f32, f32)>;

impl Rope {
    /// `divisors` slow single pairs down (Llama 3.1's stretched context).
    pub(crate) fn new(hyper: &Hyper, divisors: Option<Vec<f32>>) -> Self {
        let angles = |base: f32, stretch: f32| {
            (0..hyper.head / 2)
                .map(|i| {
                    let divisor = divisors.as_ref().and_then(|all| all.get(i)).unwrap_or(&1.0);
                    base.powf(-2.0 * i as f32 / hyper.head as f32) / divisor / stretch
                })
                .collect()
        };
        Self {
            pairs: hyper.pairs,
            global: angles(hyper.rope_base, hyper.rope_stretch),
            local: angles(hyper.rope_base_local, 1.0),
        }
    }

    /// How a token at `position` is turned on global and on local layers.
    pub(crate) fn turns(&self, position: usize) -> (Turn, Turn) {
        let turn = |angles: &[f32]| {
            angles
                .iter()
                .map(|angle| {
                    let (sin, cos) = (angle * position as f32).sin_cos();
                    (cos, sin)
                })
                .collect()
        };
        (turn(&self.global), turn(&self.local))
    }

    /// Turns one head.
    pub(crate) fn apply(&self, head: &mut [f32], turn: &[(f32, f32)]) {
        let rotate = |a: &mut f32, b: &mut f32, (cos, sin): (f32, f32)| {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        };
        match self.pairs {
            Pairs::Neighbours => {
                for ([a, b], turn) in head.as_chunks_mut::<2>().0.iter_mut().zip(turn) {
                    rotate(a, b, *turn);
                }
            }
            Pairs::Halves => {
                let (first, second) = head.split_at_mut(head.len() / 2);
                for ((a, b), turn) in first.iter_mut().zip(second).zip(turn) {
                    rotate(a, b, *turn);
                }
            }
        }
    }
}
