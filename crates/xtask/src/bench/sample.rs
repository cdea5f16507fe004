//! Durations of the same thing, and medians.

use std::time::Duration;

use crate::failure::Result;

/// Durations of the same thing, sorted.
#[derive(Clone, Default)]
pub struct Sample(Vec<Duration>);

impl Sample {
    /// Measures `times` times.
    pub fn take(times: usize, once: impl FnMut() -> Result<Duration>) -> Result<Self> {
        let mut once = once;
        let mut all = (0..times).map(|_| once()).collect::<Result<Vec<_>>>()?;
        all.sort();
        Ok(Self(all))
    }

    /// Half take no longer.
    pub fn median(&self) -> Duration {
        self.at(50)
    }

    /// The nearest rank: `percent` in 100 take no longer.
    pub fn at(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }
}

/// The middle of some figures, the mean of both middles of an even number; `None` of none.
pub fn median(mut all: Vec<f64>) -> Option<f64> {
    all.sort_by(f64::total_cmp);
    let high = *all.get(all.len() / 2)?;
    let low = *all.get((all.len() - 1) / 2)?;
    Some((low + high) / 2.0)
}

/// Milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Microseconds.
pub fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_sorted_and_ranks_are_the_nearest() {
        let mut next = 20;
        let sample = Sample::take(20, || {
            next -= 1;
            Ok(Duration::from_millis(next + 1))
        });
        let sample = sample.unwrap();
        assert_eq!(sample.median(), Duration::from_millis(10));
        assert_eq!(sample.at(95), Duration::from_millis(19));
    }

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
