//! Token counts as Anthropic reports them: cumulative, over several events.

use serde::Deserialize;

use crate::wire::event::Usage;

/// `usage` of `message_start`, `message_delta` and whole answers. A later report replaces what it names.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Counts {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
    #[serde(default)]
    iterations: Option<Vec<Iteration>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Option<u64>,
}

/// One sampling of an answer that took several.
#[derive(Clone, Debug, Default, Deserialize)]
struct Iteration {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: u64,
}

impl Counts {
    /// Takes over what a later report says. Zero is no news: servers fill in zeros for what they do not repeat.
    pub(super) fn update(&mut self, later: Self) {
        let newer = |old: &mut Option<u64>, new: Option<u64>| *old = new.filter(|count| *count > 0).or(*old);
        newer(&mut self.input_tokens, later.input_tokens);
        newer(&mut self.cache_read_input_tokens, later.cache_read_input_tokens);
        newer(&mut self.cache_creation_input_tokens, later.cache_creation_input_tokens);
        newer(&mut self.output_tokens, later.output_tokens);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details.take());
        self.iterations = later.iterations.or(self.iterations.take());
    }

    /// What is to be paid for at the model's rates. The outer counts are without the compaction of the context,
    /// which is billed too (Anthropic's documentation of compaction, "Understanding usage"); an advisor's tokens are
    /// another model's and not in it.
    pub(super) fn usage(&self) -> Usage {
        let outer = usage(
            self.input_tokens.unwrap_or(0),
            self.cache_read_input_tokens,
            self.cache_creation_input_tokens,
            self.output_tokens.unwrap_or(0),
        );
        let details = self.output_tokens_details.as_ref();
        let outer = Usage { reasoning: details.and_then(|d| d.thinking_tokens).unwrap_or(0), ..outer };
        let iterations = self.iterations.iter().flatten();
        let compactions = iterations.filter(|iteration| iteration.kind.as_deref() == Some("compaction"));
        compactions.fold(outer, |sum, iteration| {
            sum.plus(usage(
                iteration.input_tokens,
                iteration.cache_read_input_tokens,
                iteration.cache_creation_input_tokens,
                iteration.output_tokens,
            ))
        })
    }
}

fn usage(uncached: u64, read: Option<u64>, written: Option<u64>, output: u64) -> Usage {
    let (cached, cache_write) = (read.unwrap_or(0), written.unwrap_or(0));
    let input = uncached.saturating_add(cached).saturating_add(cache_write);
    Usage { input, output, cached, reasoning: 0, cache_write }
}
