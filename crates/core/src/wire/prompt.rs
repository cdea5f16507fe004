//! What a model is asked, before it is put into a dialect.

use serde::{Deserialize, Serialize};

use super::json::Members;

/// A question to a model.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// A caller's request in the OpenAI dialect, passed on with its order, numbers and unknown members.
    OpenAi(Members),
    /// A question of ours.
    Plain(Plain),
    /// A caller's request for embeddings, passed on in the same way.
    Embeddings(Members),
}

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
    /// How many input tokens to reserve: a token of English is about four bytes, and of CJK about three. The whole
    /// request counts, tools and schemas included, so that this errs upwards.
    pub fn estimated_input(&self) -> u64 {
        let bytes = match self {
            Self::OpenAi(members) | Self::Embeddings(members) => members.size(),
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
                Self::OpenAi(members) | Self::Plain(Plain { params: members, .. }) => {
                    members.set("max_tokens", &bound);
                }
                Self::Embeddings(_) => {}
            }
        }
    }

    /// The most output tokens that the prompt allows, all choices together, where it says so.
    pub fn max_output(&self) -> Option<u64> {
        match self {
            Self::OpenAi(members) | Self::Plain(Plain { params: members, .. }) => max_output(members),
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

/// Tokens in so many bytes of text, rounded up at three bytes a token.
pub fn estimate(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(3)
}
