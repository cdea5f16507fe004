//! Choosing the next token.

use std::collections::HashMap;

use crate::transformer::soften;

/// How the next token is chosen, in OpenAI's terms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sampling {
    /// 0: always the likeliest.
    pub(crate) temperature: f32,
    /// Only the likeliest tokens that together have this probability.
    pub(crate) top_p: f32,
    /// Taken off a token for each time it was generated.
    pub(crate) frequency_penalty: f32,
    /// Taken off a token that was generated at all.
    pub(crate) presence_penalty: f32,
    /// Added to single tokens.
    pub(crate) bias: Vec<(u32, f32)>,
    pub(crate) seed: u64,
}

/// Chooses one token after the other. The same seed and logits give the same choices.
pub(super) struct Sampler {
    sampling: Sampling,
    random: fastrand::Rng,
    generated: HashMap<u32, u32>,
    candidates: Vec<(f32, u32)>,
}

impl Sampler {
    pub(super) fn new(sampling: Sampling) -> Self {
        let random = fastrand::Rng::with_seed(sampling.seed);
        Self { sampling, random, generated: HashMap::new(), candidates: Vec::new() }
    }

    /// Chooses, and remembers the choice. The logits are changed on the way.
    pub(super) fn choose(&mut self, logits: &mut [f32]) -> u32 {
        self.adjust(logits);
        let token = if self.sampling.temperature <= 0.0 { likeliest(logits) } else { self.draw(logits) };
        *self.generated.entry(token).or_default() += 1;
        token
    }

    fn adjust(&self, logits: &mut [f32]) {
        for (token, bias) in &self.sampling.bias {
            if let Some(logit) = logits.get_mut(*token as usize) {
                *logit += bias;
            }
        }
        let Sampling { frequency_penalty, presence_penalty, .. } = self.sampling;
        if frequency_penalty == 0.0 && presence_penalty == 0.0 {
            return;
        }
        for (token, times) in &self.generated {
            if let Some(logit) = logits.get_mut(*token as usize) {
                *logit -= frequency_penalty * *times as f32 + presence_penalty;
            }
        }
    }

    fn draw(&mut self, logits: &mut [f32]) -> u32 {
        let inverse = 1.0 / self.sampling.temperature;
        logits.iter_mut().for_each(|logit| *logit *= inverse);
        soften(logits);
        let top_p = self.sampling.top_p;
        if top_p >= 1.0 {
            let all = logits.iter().copied().zip(0..);
            return pick(all, self.random.f32()).unwrap_or_else(|| likeliest(logits));
        }
        // A token this unlikely is outside: even if every token were as likely, the likelier ones would have top_p.
        let least = (1.0 - top_p) / logits.len() as f32;
        self.candidates.clear();
        self.candidates
            .extend(logits.iter().copied().zip(0..).filter(|(probability, _)| *probability >= least));
        self.candidates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut sum = 0.0;
        let inside = self.candidates.iter().take_while(|(probability, _)| {
            let before = sum;
            sum += probability;
            before < top_p
        });
        let inside = inside.count().max(1);
        self.candidates.truncate(inside);
        let sum: f32 = self.candidates.iter().map(|(probability, _)| probability).sum();
        pick(self.candidates.iter().copied(), self.random.f32() * sum).unwrap_or_else(|| likeliest(logits))
    }
}

/// The token in whose share of `0..sum` the point lies; the last that has one if rounding led beyond.
fn pick(candidates: impl Iterator<Item = (f32, u32)>, point: f32) -> Option<u32> {
    let mut sum = 0.0;
    let mut last = None;
    for (probability, token) in candidates.filter(|(probability, _)| *probability > 0.0) {
        sum += probability;
        last = Some(token);
        if point < sum {
            break;
        }
    }
    last
}

/// The first of the largest.
fn likeliest(logits: &[f32]) -> u32 {
    let first = (f32::NEG_INFINITY, 0);
    logits.iter().copied().zip(0..).fold(first, |best, next| if next.0 > best.0 { next } else { best }).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREEDY: Sampling = Sampling {
        temperature: 0.0,
        top_p: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        bias: Vec::new(),
        seed: 1,
    };

    fn choices(sampling: Sampling, count: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(sampling);
        (0..count).map(|_| sampler.choose(&mut [1.0, 3.0, 2.0, -1.0])).collect()
    }

    #[test]
    fn no_temperature_takes_the_likeliest() {
        assert_eq!(choices(GREEDY, 3), [1, 1, 1]);
    }

    #[test]
    fn the_same_seed_chooses_the_same() {
        let warm = |seed| choices(Sampling { temperature: 1.5, seed, ..GREEDY }, 64);
        assert_eq!(warm(7), warm(7));
        assert_ne!(warm(7), warm(8));
    }

    #[test]
    fn choices_follow_the_probabilities() {
        let mut logits = [1.0, 3.0, 2.0, -1.0];
        soften(&mut logits);
        let chosen = choices(Sampling { temperature: 1.0, ..GREEDY }, 20_000);
        for (token, probability) in (0..).zip(logits) {
            let share = chosen.iter().filter(|one| **one == token).count() as f32 / 20_000.0;
            assert!((share - probability).abs() < 0.02, "{token}: {share} instead of {probability}");
        }
    }

    #[test]
    fn top_p_leaves_the_unlikely_out() {
        let chosen = choices(Sampling { temperature: 1.0, top_p: 0.8, ..GREEDY }, 1_000);
        assert!(chosen.iter().all(|token| [1, 2].contains(token)) && chosen.contains(&2));
        let chosen = choices(Sampling { temperature: 1.0, top_p: 0.0, ..GREEDY }, 100);
        assert!(chosen.iter().all(|token| *token == 1));
    }

    #[test]
    fn penalties_and_biases_shift_the_choice() {
        assert_eq!(choices(Sampling { presence_penalty: 1.5, ..GREEDY }, 3), [1, 2, 1]);
        assert_eq!(choices(Sampling { frequency_penalty: 0.6, ..GREEDY }, 4), [1, 1, 2, 1]);
        assert_eq!(choices(Sampling { bias: vec![(3, 100.0), (9, 1.0)], ..GREEDY }, 1), [3]);
    }
}
