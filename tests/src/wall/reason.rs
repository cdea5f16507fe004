//! Why the wall refuses or breaks off, before a dialect puts it in its words.

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Something broke inside.
    Broke,
    /// Too much to do, said inside a stream.
    Overloaded,
    /// A status in one plain shape, with the seconds to wait.
    Plain(u16, Option<u64>),
    /// A status in the dialect's words, with the seconds to wait.
    Status(u16, Option<u64>),
    /// Too long for the model.
    Context,
    /// Against the content policy.
    Filter,
    /// The last message is the assistant's.
    Prefill,
    /// Not the wall's key, or not in the dialect's header.
    Credential,
    /// The wall has no such model.
    Model,
    /// A request that the provider does not take.
    Invalid(String),
}

impl Reason {
    /// A request that the provider does not take.
    pub fn invalid(message: &str) -> Self {
        Self::Invalid(message.to_owned())
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Broke => 500,
            Self::Overloaded => 529,
            Self::Plain(status, _) | Self::Status(status, _) => *status,
            Self::Context | Self::Filter | Self::Prefill | Self::Invalid(_) => 400,
            Self::Credential => 401,
            Self::Model => 404,
        }
    }

    /// What is said where the dialect has no words of its own.
    pub fn message(&self) -> String {
        match self {
            Self::Broke => "the wall broke".to_owned(),
            Self::Overloaded => "Overloaded".to_owned(),
            Self::Plain(status, _) | Self::Status(status, _) => format!("the wall answers {status}"),
            Self::Context => "too long for the wall".to_owned(),
            Self::Filter => "against the wall's policy".to_owned(),
            Self::Prefill => "the wall continues no assistant's message".to_owned(),
            Self::Credential => "that is not the wall's key, or not its header".to_owned(),
            Self::Model => "the wall has no such model".to_owned(),
            Self::Invalid(message) => message.clone(),
        }
    }
}
