//! What a model is asked, before it is put into a dialect.

use serde::{Deserialize, Serialize};

use super::Dialect;
use super::json::Members;

/// A question to a model.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// A caller's request in its own dialect: passed on with its order, numbers and unknown members to a target of the
    /// same dialect, translated for others.
    Own(Dialect, Members),
    /// The same for targets that have a tool of the caller's dialect; for all others, the request with functions in its
    /// place ([`super::builtin`]).
    #[serde(skip)]
    Offered(Dialect, Members, Members),
    /// A question of ours.
    Plain(Plain),
    /// A caller's request for embeddings, passed on in the same way.
    Embeddings(Members),
}

/// The temperature of the platform's own questions where a caller names none.
pub const DEFAULT_TEMPERATURE: f64 = 0.7;

/// A text conversation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plain {
    /// In order.
    pub messages: Vec<Turn>,
    /// Everything else that the model is told, such as `temperature`: the caller's own members, as they were written.
    pub params: Members,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Text.
    pub content: String,
}

impl Turn {
    /// What the platform tells the model.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: "system".to_owned(), content: content.into() }
    }

    /// What the caller says.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: "user".to_owned(), content: content.into() }
    }
}

impl Prompt {
    /// What a target of this dialect speaks when it is asked this: embeddings are OpenAI's alone.
    pub fn spoken(&self, dialect: Dialect) -> Dialect {
        if matches!(self, Self::Embeddings(_)) { Dialect::OpenAi } else { dialect }
    }

    /// How many input tokens to reserve: a token of English is about four bytes, and of CJK about three. The whole
    /// request counts, tools and schemas included, so that this errs upwards.
    pub fn estimated_input(&self) -> u64 {
        let bytes = match self {
            Self::Own(_, members) | Self::Embeddings(members) | Self::Offered(_, _, members) => {
                members.size()
            }
            Self::Plain(plain) => {
                let turns = plain.messages.iter().map(|turn| turn.content.len().saturating_add(16));
                turns.fold(plain.params.size(), usize::saturating_add)
            }
        };
        estimate(bytes)
    }

    /// Gives a caller's request a bound on its output, where it names none: what a budget has reserved must not be
    /// exceeded.
    pub fn bound_output(&mut self, bound: u64) {
        if self.max_output().is_none() {
            match self {
                Self::Own(dialect, members) => bound_output(*dialect, members, bound),
                Self::Offered(dialect, own, offered) => {
                    bound_output(*dialect, own, bound);
                    bound_output(*dialect, offered, bound);
                }
                Self::Plain(Plain { params, .. }) => params.set("max_tokens", &bound),
                Self::Embeddings(_) => {}
            }
        }
    }

    /// The most output tokens that the prompt allows, all choices together, where it says so.
    pub fn max_output(&self) -> Option<u64> {
        match self {
            Self::Own(dialect, members) | Self::Offered(dialect, members, _) => match dialect {
                Dialect::OpenAi | Dialect::Anthropic => max_output(members),
                Dialect::Responses => whole(members, "max_output_tokens"),
                Dialect::Gemini => {
                    let (_, generation) = generation(members);
                    let choices = whole(&generation, "candidateCount").unwrap_or(1);
                    let bound = whole(&generation, "maxOutputTokens");
                    let bound = bound.or_else(|| whole(&generation, "max_output_tokens"));
                    bound.map(|bound| bound.saturating_mul(choices.max(1)))
                }
            },
            Self::Plain(Plain { params, .. }) => max_output(params),
            Self::Embeddings(_) => Some(0),
        }
    }
}

/// The most output tokens that these members allow, all choices together, where they say so.
pub fn max_output(members: &Members) -> Option<u64> {
    let number = |name| members.read::<f64>(name).ok().flatten().filter(|number| *number >= 1.0);
    let bounds = ["max_completion_tokens", "max_tokens"].into_iter().filter_map(number);
    // Each of `n` choices may be that long; `as` saturates.
    bounds.reduce(f64::max).map(|bound| (bound * number("n").unwrap_or(1.0)).ceil() as u64)
}

fn bound_output(dialect: Dialect, members: &mut Members, bound: u64) {
    match dialect {
        Dialect::OpenAi | Dialect::Anthropic => members.set("max_tokens", &bound),
        Dialect::Responses => members.set("max_output_tokens", &bound),
        Dialect::Gemini => {
            let (name, mut generation) = generation(members);
            generation.set("maxOutputTokens", &bound);
            members.set(name, &generation);
        }
    }
}

/// Gemini takes its members' names in both styles.
fn generation(members: &Members) -> (&'static str, Members) {
    let read = |name| members.read::<Members>(name).ok().flatten().map(|found| (name, found));
    read("generationConfig")
        .or_else(|| read("generation_config"))
        .unwrap_or(("generationConfig", Members::default()))
}

fn whole(members: &Members, name: &str) -> Option<u64> {
    // `as` saturates.
    members
        .read::<f64>(name)
        .ok()
        .flatten()
        .filter(|number| *number >= 1.0)
        .map(|number| number.ceil() as u64)
}

/// Tokens in so many bytes of text, rounded up at three bytes a token.
pub fn estimate(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(3)
}
