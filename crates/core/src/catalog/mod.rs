//! Providers, their models, prices and limits: rows, no code.
//!
//! `crates/core/catalog.toml` holds the rows, with their source and date; `cargo xtask catalog` writes it. A model
//! that is not there may still be asked: everything is assumed possible of it, at the prices of its target's row.

mod discover;
mod prices;
mod table;

pub use discover::discover;
pub use prices::{Long, Prices};

/// What is known of a provider's model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    /// What its tokens cost.
    pub prices: Prices,
    /// The most input tokens that it takes.
    pub context: u64,
    /// The most output tokens that it gives, reasoning included.
    pub max_output: u64,
    /// What it can do.
    pub abilities: Abilities,
}

/// What a model can do. Of those with an `Option` the source's silence is `None`: it says nothing of many models that
/// can, and only its "no" keeps a request from them. Of the others its "no" and its silence are both `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Calls tools.
    pub tools: Option<bool>,
    /// Reads images.
    pub vision: Option<bool>,
    /// Keeps to a JSON schema.
    pub schema: Option<bool>,
    /// Reasons before it answers.
    pub reasoning: bool,
    /// Goes on from the beginning of an answer that the request ends with.
    pub prefill: bool,
}

/// What is known of `model` at a provider, named as in the catalogue: `openai`, `anthropic`, `gemini`, … ([`provider`]
/// finds it from an address). `None`: nothing.
///
/// A model that is not listed under `NAME-YYYY-MM-DD`, `NAME-YYYYMMDD` or `NAME-latest` is looked up as `NAME`.
pub fn model(provider: &str, model: &str) -> Option<Model> {
    table::find(provider, model).or_else(|| table::find(provider, table::undated(model)?))
}

/// The provider, named as in the catalogue, whose API is at `base_url`.
pub fn provider(base_url: &str) -> Option<&'static str> {
    let (_, rest) = base_url.split_once("://")?;
    let host = rest.split(['/', ':', '?']).next()?;
    HOSTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(host)).map(|(_, name)| *name)
}

/// The hosts that the providers' API references name.
const HOSTS: [(&str, &str); 10] = [
    ("api.anthropic.com", "anthropic"),
    ("api.cerebras.ai", "cerebras"),
    ("api.cohere.ai", "cohere"),
    ("api.cohere.com", "cohere"),
    ("api.deepseek.com", "deepseek"),
    ("api.groq.com", "groq"),
    ("api.mistral.ai", "mistral"),
    ("api.openai.com", "openai"),
    ("api.x.ai", "xai"),
    ("generativelanguage.googleapis.com", "gemini"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dated_names_are_the_undated_models() {
        let check = |name: &str, wanted: &str| {
            let found = model("openai", name);
            assert!(found.is_some(), "{name}");
            assert_eq!(found, model("openai", wanted), "{name}");
        };
        check("gpt-4o-mini-2024-07-18", "gpt-4o-mini");
        check("gpt-4o-mini-20240718", "gpt-4o-mini");
        check("gpt-4o-mini-latest", "gpt-4o-mini");
        for unknown in ["gpt-4o-mini-2024-7-18", "gpt-4o-mini-preview", "2024-07-18", "-latest", ""] {
            assert_eq!(model("openai", unknown), None, "{unknown}");
        }
        assert_eq!(model("anthropic", "gpt-4o-mini"), None);
    }

    #[test]
    fn addresses_name_their_provider() {
        let check =
            |base_url: &str, wanted: Option<&str>| assert_eq!(provider(base_url), wanted, "{base_url}");
        check("https://api.openai.com/v1", Some("openai"));
        check("https://API.openai.com:443", Some("openai"));
        check("https://generativelanguage.googleapis.com/v1beta/openai", Some("gemini"));
        check("https://api.openai.com.example/v1", None);
        check("http://localhost:8080/api.openai.com", None);
        check("api.openai.com", None);
        for (host, name) in HOSTS {
            assert!(table::providers().any(|known| known == name), "{host}: no row of {name}");
        }
    }
}
