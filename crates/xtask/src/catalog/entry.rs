//! What the catalogue says of one model, and whether it can be true.

/// One model. Prices are dollars a million tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub input: f64,
    pub output: f64,
    /// `None`: the source has no price, or 0, which cannot be told from none.
    pub cached: Option<f64>,
    pub cache_write: Option<f64>,
    pub context: u64,
    pub max_output: u64,
    /// A letter for each ability.
    pub abilities: String,
    pub long: Option<Long>,
}

/// Prices of a request with more input than a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Long {
    pub above: u64,
    pub input: f64,
    pub output: f64,
}

/// Columns that are abilities, with their letters.
const ABILITIES: [(&str, char); 5] = [
    ("supports_function_calling", 't'),
    ("supports_vision", 'v'),
    ("supports_response_schema", 's'),
    ("supports_reasoning", 'r'),
    ("supports_assistant_prefill", 'p'),
];

/// Abilities whose "no" keeps requests away: a capital letter.
const DENIED: [char; 3] = ['t', 'v', 's'];

/// Long requests whose prices the source has, but not the CSV: (provider, how names begin, above, times input,
/// times output). They are what the same release's `*_above_272k_tokens` and `*_above_100k_tokens` come to; only
/// gpt-6-astra-law has none there, and gets what gpt-6-astra has. A model with no longer window has none.
const LONG: [(&str, &str, u64, f64, f64); 7] = [
    ("anthropic", "claude-haiku-5-5", 100_000, 5.0, 5.0),
    ("openai", "daybreak-", 272_000, 2.0, 1.5),
    ("openai", "gpt-5.4", 272_000, 2.0, 1.5),
    ("openai", "gpt-5.5", 272_000, 2.0, 1.5),
    ("openai", "gpt-5.6", 272_000, 2.0, 1.5),
    ("openai", "gpt-6", 272_000, 2.0, 1.5),
    ("openai", "gpt-daybreak-", 272_000, 2.0, 1.5),
];

impl Entry {
    /// From a row, whose cells `cell` finds by their columns' names. Errors say what is wrong with it.
    pub fn read<'a>(provider: &str, model: &str, cell: impl Fn(&str) -> &'a str) -> Result<Self, String> {
        let price = |column: &str| price(cell(column));
        let tokens =
            |column: &str| cell(column).parse::<u64>().map_err(|_| "without a token limit".to_owned());
        let input = price("input_cost_per_token")?.ok_or("without a price")?;
        let output = price("output_cost_per_token")?.ok_or("without a price")?;
        if price("output_cost_per_reasoning_token")?.is_some_and(|reasoning| reasoning != output) {
            return Err("reasoning has a price of its own".into());
        }
        let context = tokens("max_input_tokens")?;
        let long = match (
            price("input_cost_per_token_above_200k_tokens")?,
            price("output_cost_per_token_above_200k_tokens")?,
        ) {
            (Some(input), Some(output)) => Some(Long { above: 200_000, input, output }),
            (None, None) => known_long(provider, model, context, input, output),
            _ => return Err("half a price for long requests".into()),
        };
        let able = ABILITIES.iter().filter_map(|(column, letter)| match cell(column) {
            "True" => Some(*letter),
            "False" if DENIED.contains(letter) => Some(letter.to_ascii_uppercase()),
            _ => None,
        });
        let entry = Self {
            input,
            output,
            cached: price("cache_read_input_token_cost")?,
            cache_write: price("cache_creation_input_token_cost")?,
            context,
            max_output: tokens("max_output_tokens")?,
            abilities: able.collect(),
            long,
        };
        entry.check()?;
        Ok(entry)
    }

    /// The bounds leave room around every price that a provider publishes today; a slipped column or a wrong unit
    /// (a thousand tokens for one) is outside of them.
    fn check(&self) -> Result<(), String> {
        let Self { input, output, context, .. } = *self;
        let cached = self.cached.unwrap_or(input);
        let cache_write = self.cache_write.unwrap_or(input);
        let long = self.long.unwrap_or(Long { above: 100_000, input: 2.0 * input, output: 2.0 * output });
        let rules = [
            ((0.01..=100.0).contains(&input), "an odd price of input"),
            ((0.01..=500.0).contains(&output), "an odd price of output"),
            (output >= input, "output is cheaper than input"),
            (output <= 15.0 * input, "output is too dear against input"),
            ((0.01 * input..=input).contains(&cached), "an odd price of cached input"),
            ((input..=2.0 * input).contains(&cache_write), "an odd price of cache writes"),
            ((4_000..=4_000_000).contains(&context), "an odd context window"),
            ((1_000..=context).contains(&self.max_output), "an odd limit of output"),
            (self.long.is_none() || long.above < context, "no request can be long"),
            (long.input > input && long.output > output, "long requests are not dearer"),
            (long.input <= 5.0 * input && long.output <= 5.0 * output, "long requests are too dear"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, why)) => Err((*why).to_owned()),
            None => Ok(()),
        }
    }
}

fn known_long(provider: &str, model: &str, context: u64, input: f64, output: f64) -> Option<Long> {
    let (.., above, more_in, more_out) = LONG.iter().find(|(whose, begins, above, ..)| {
        *whose == provider && model.starts_with(begins) && context > *above
    })?;
    Some(Long {
        above: *above,
        input: to_millionths(input * more_in),
        output: to_millionths(output * more_out),
    })
}

/// Dollars a token, in dollars a million tokens; `None` for an empty cell and for 0.
fn price(cell: &str) -> Result<Option<f64>, String> {
    if cell.is_empty() {
        return Ok(None);
    }
    let dollars: f64 = cell.parse().map_err(|_| format!("{cell:?} is no price"))?;
    let price = to_millionths(dollars * 1e6);
    Ok((price != 0.0).then_some(price))
}

/// Takes off what binary fractions add.
fn to_millionths(price: f64) -> f64 {
    (price * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_cannot_be_true_are_refused() {
        let good = [
            ("input_cost_per_token", "1e-06"),
            ("output_cost_per_token", "3.75e-06"),
            ("cache_read_input_token_cost", "1e-07"),
            ("cache_creation_input_token_cost", "0.0"),
            ("max_input_tokens", "300000"),
            ("max_output_tokens", "64000"),
            ("supports_vision", "True"),
            ("supports_response_schema", "False"),
            ("supports_reasoning", "False"),
        ];
        let read = |changed: &[(&str, &'static str)]| {
            let cell = |column: &str| {
                let mut cells = changed.iter().chain(&good);
                cells.find(|(name, _)| *name == column).map_or("", |(_, text)| *text)
            };
            Entry::read("openai", "gpt-6", cell)
        };
        let entry = read(&[]).expect("nothing is wrong with it");
        assert_eq!(
            (entry.input, entry.output, entry.cached, entry.cache_write),
            (1.0, 3.75, Some(0.1), None)
        );
        assert_eq!(entry.abilities, "vS");
        assert_eq!(entry.long, Some(Long { above: 272_000, input: 2.0, output: 5.625 }));

        let check = |column: &str, cell: &'static str, why: &str| {
            assert_eq!(read(&[(column, cell)]), Err(why.to_owned()), "{column} = {cell:?}");
        };
        check("input_cost_per_token", "", "without a price");
        check("input_cost_per_token", "0", "without a price");
        check("input_cost_per_token", "free", "\"free\" is no price");
        check("input_cost_per_token", "1e-03", "an odd price of input");
        check("output_cost_per_token", "9e-07", "output is cheaper than input");
        check("output_cost_per_token", "2e-05", "output is too dear against input");
        check("output_cost_per_reasoning_token", "1e-05", "reasoning has a price of its own");
        check("cache_read_input_token_cost", "1.1e-06", "an odd price of cached input");
        check("cache_creation_input_token_cost", "9e-07", "an odd price of cache writes");
        check("max_input_tokens", "", "without a token limit");
        check("max_input_tokens", "0", "an odd context window");
        check("max_output_tokens", "300001", "an odd limit of output");
        check("input_cost_per_token_above_200k_tokens", "2e-06", "half a price for long requests");
    }
}
