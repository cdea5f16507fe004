//! What a provider says when it does not answer, in no dialect's words.

use crate::error::Kind;

/// A refusal: a body that came with another status than 2xx, or an error inside a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What decides what follows.
    pub class: Class,
    /// The provider's words, for a person.
    pub message: Option<String>,
    /// The request's member at fault, as the provider names it.
    pub param: Option<String>,
}

/// What a refusal comes down to. Another target may help with all but the first three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The caller's own mistake.
    Request,
    /// Too long for the model's window.
    Context,
    /// Content policy.
    Filtered,
    /// 401 or 403 of our key.
    Credential,
    /// 404: no such model.
    Missing,
    /// 429, or a quota that is used up.
    Limited,
    /// 503 or 529.
    Overloaded,
    /// Another 5xx, and what is unclear.
    Failed,
}

impl Class {
    /// The failure that it is to a caller.
    pub fn kind(self) -> Kind {
        match self {
            Self::Request => Kind::Invalid,
            Self::Context => Kind::Context,
            Self::Filtered => Kind::Filtered,
            Self::Limited => Kind::Limited,
            Self::Credential | Self::Missing | Self::Overloaded | Self::Failed => Kind::Upstream,
        }
    }
}
