//! What tokens cost.

use crate::wire::event::Usage;

/// A model's prices, in micro-dollars a token, which is the same number as dollars a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// Input that the provider's cache had no part in.
    pub input: f64,
    /// Output, reasoning included.
    pub output: f64,
    /// Input read from the provider's cache; `input` where no such price is known, which errs upwards.
    pub cached: f64,
    /// Input written to the provider's cache for its usual time (Anthropic: five minutes); `input` where no such
    /// price is known. Longer times cost more, and [`Usage`] does not tell them apart.
    pub cache_write: f64,
    /// For a request with much input.
    pub long: Option<Long>,
}

/// The prices of a whole request whose input exceeds a bound. Cached and cache-written input rise as `input` does,
/// as in every such price that the catalogue's source lists.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Long {
    /// Input tokens, cached ones included; a request of exactly so many still has the usual prices.
    pub above: u64,
    /// In place of [`Prices::input`].
    pub input: f64,
    /// In place of [`Prices::output`].
    pub output: f64,
}

impl Prices {
    /// One price for all input, one for all output.
    pub fn flat(input: f64, output: f64) -> Self {
        Self { input, output, cached: input, cache_write: input, long: None }
    }

    /// What an attempt cost: micro-dollars, rounded up.
    ///
    /// A provider that claims more cached than input tokens is charged for no more than the input.
    pub fn cost(&self, usage: &Usage) -> u64 {
        let prices = self.at(usage.input);
        let cached = usage.cached.min(usage.input);
        let uncached = usage.input.saturating_sub(cached);
        let written = usage.cache_write.min(uncached);
        let parts = [
            (uncached.saturating_sub(written), prices.input),
            (cached, prices.cached),
            (written, prices.cache_write),
            (usage.output, prices.output),
        ];
        let picos = parts.into_iter().fold(0_u64, |sum, (tokens, price)| {
            sum.saturating_add(tokens.saturating_mul(pico_dollars(price)))
        });
        picos.div_ceil(1_000_000)
    }

    /// The most that so many tokens can cost: none of the input comes from the cache, and all may be written to it.
    pub fn worst(&self, usage: &Usage) -> u64 {
        let dearest = Self { input: self.input.max(self.cache_write), ..*self };
        let long =
            self.long.map(|long| Long { input: long.input.max(self.at(u64::MAX).cache_write), ..long });
        Self { long, ..dearest }.cost(usage)
    }

    /// The prices of a request with so much input.
    fn at(&self, input: u64) -> Self {
        let Some(long) = self.long.filter(|long| input > long.above) else { return *self };
        let rise = if self.input > 0.0 { long.input / self.input } else { 1.0 };
        Self {
            input: long.input,
            output: long.output,
            cached: self.cached * rise,
            cache_write: self.cache_write * rise,
            long: None,
        }
    }
}

/// Whole numbers add up exactly, so that no rounding error is rounded up to a micro-dollar.
fn pico_dollars(micro_dollars: f64) -> u64 {
    // `as` saturates, and makes nothing of what is no number.
    (micro_dollars * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(prices: Prices, input: u64, cached: u64, cache_write: u64, output: u64) -> u64 {
        prices.cost(&Usage { input, output, cached, reasoning: output, cache_write })
    }

    #[test]
    fn each_part_has_its_price() {
        let sonnet = Prices { cached: 0.3, cache_write: 3.75, ..Prices::flat(3.0, 15.0) };
        let check = |usage: [u64; 4], wanted| {
            let [input, cached, cache_write, output] = usage;
            assert_eq!(cost(sonnet, input, cached, cache_write, output), wanted, "{usage:?}");
        };
        check([0, 0, 0, 0], 0);
        check([1000, 0, 0, 100], 4500);
        check([1000, 1000, 0, 0], 300);
        check([1000, 0, 1000, 0], 3750);
        check([1000, 600, 300, 10], 300 + 180 + 1125 + 150);
        check([1, 1, 0, 0], 1);
        // More cached and written than there was input.
        check([100, 500, 0, 0], 30);
        check([100, 90, 90, 0], 27 + 38);
        check([u64::MAX, 0, 0, 0], u64::MAX.div_ceil(1_000_000));
    }

    #[test]
    fn sums_are_rounded_up_once() {
        let cheap = Prices::flat(0.1, 0.7);
        assert_eq!(cost(cheap, 3, 0, 0, 1), 1);
        assert_eq!(cost(cheap, 10, 0, 0, 10), 8);
        assert_eq!(cost(cheap, 11, 0, 0, 10), 9);
        assert_eq!(cost(Prices::flat(0.0, 0.0), 1_000_000, 0, 0, 1_000_000), 0);
        assert_eq!(cost(Prices::flat(f64::NAN, -1.0), 5, 0, 0, 5), 0);
    }

    #[test]
    fn long_requests_cost_more_from_the_first_token() {
        let long = Some(Long { above: 200_000, input: 2.5, output: 15.0 });
        let pro = Prices { cached: 0.125, cache_write: 1.5, long, ..Prices::flat(1.25, 10.0) };
        assert_eq!(cost(pro, 200_000, 0, 0, 1), 250_010);
        assert_eq!(cost(pro, 200_001, 0, 0, 1), 500_018);
        assert_eq!(cost(pro, 200_001, 200_001, 0, 0), 50_001);
        assert_eq!(cost(pro, 200_010, 0, 200_010, 0), 600_030);
    }
}
