//! What a caller may do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Each may do what those before it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read: models, tasks, receipts, usage.
    Readonly,
    /// Ask.
    #[default]
    User,
    /// Make and revoke keys of its own tenant.
    Admin,
    /// Change the deployment's configuration; keys of every tenant.
    Operator,
}

impl Role {
    /// As written in configuration, tokens and errors.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Readonly => "readonly",
            Self::User => "user",
            Self::Admin => "admin",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
