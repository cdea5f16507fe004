//! The rows of the configuration: targets, tenants, keys.

use super::features::Features;
use super::sandbox::TenantSandbox;
use crate::identity::Tenant;
use crate::identity::role::Role;
use crate::wire::Dialect;

/// A provider as a row: what is needed to ask it in a dialect that the core speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetRow {
    /// The provider's name in `provider/model`: no slash.
    pub name: String,
    /// For example `https://api.openai.com/v1`; no slash at the end.
    pub base_url: String,
    /// What is spoken there: `openai`, `responses`, `anthropic` or `gemini`.
    pub dialect: Dialect,
    /// The model that is asked when the caller names none.
    pub model: String,
    /// Further models that callers may name, at the same prices; `"*"` for all.
    pub models: Vec<String>,
    /// Models of this provider that make embeddings, at the same price for input; `"*"` for all.
    pub embeddings: Vec<String>,
    /// The name of the secret with the API key; without it no credential is sent.
    pub secret: Option<String>,
    /// US dollars for a million input tokens.
    pub usd_per_mtok_in: f64,
    /// US dollars for a million output tokens.
    pub usd_per_mtok_out: f64,
}

/// A tenant's limits; 0 means no limit.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantRow {
    /// The tenant.
    pub name: Tenant,
    /// Answers a minute.
    pub requests_per_minute: u64,
    /// Answers at once.
    pub concurrency: u64,
    /// US dollars a day (UTC).
    pub usd_per_day: f64,
    /// `provider/model` of the targets that answer this tenant where a request names none, in order; all of them in
    /// the order of the rows where left out.
    pub targets: Vec<String>,
    /// Over the deployment's `[features]`.
    pub features: Features,
    /// Over the deployment's `[sandbox]`.
    pub sandbox: TenantSandbox,
}

/// A key that may ask, kept in the configuration. Keys can also be made while the platform runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Which key this is: 1 to 32 letters and digits.
    pub id: String,
    /// Whose it is.
    pub tenant: Tenant,
    /// What `identity::key::hash` makes of the key's whole text; `opencode admin mint-key` prints it.
    pub hash: String,
    /// What it may do; an ordinary user where left out.
    pub role: Role,
}
