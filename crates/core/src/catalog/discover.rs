//! What a deployment can ask without writing a configuration.

use crate::config::rows::TargetRow;
use crate::wire::Dialect;

/// A provider, and the secret that switches it on.
struct Known {
    name: &'static str,
    secret: &'static str,
    base_url: &'static str,
    dialect: Dialect,
    model: &'static str,
    usd_per_mtok_in: f64,
    usd_per_mtok_out: f64,
}

/// In the order they are tried. Addresses are the providers' documented ones; models are ones
/// that the catalogue's source gives no end date, at the catalogue's prices.
const KNOWN: [Known; 3] = [
    Known {
        name: "openai",
        secret: "OPENAI_API_KEY",
        base_url: "https://api.openai.com/v1",
        dialect: Dialect::OpenAi,
        model: "gpt-4o-mini",
        usd_per_mtok_in: 0.15,
        usd_per_mtok_out: 0.6,
    },
    Known {
        name: "anthropic",
        secret: "ANTHROPIC_API_KEY",
        base_url: "https://api.anthropic.com/v1",
        dialect: Dialect::Anthropic,
        model: "claude-sonnet-4-6",
        usd_per_mtok_in: 3.0,
        usd_per_mtok_out: 15.0,
    },
    Known {
        name: "gemini",
        secret: "GEMINI_API_KEY",
        base_url: "https://generativelanguage.googleapis.com/v1beta",
        dialect: Dialect::Gemini,
        model: "gemini-2.5-flash",
        usd_per_mtok_in: 0.3,
        usd_per_mtok_out: 2.5,
    },
];

/// The targets whose keys `lookup` finds, and Ollama where `OLLAMA_HOST` names it (`OLLAMA_MODEL` its model).
pub fn discover(lookup: impl Fn(&str) -> Option<String>) -> Vec<TargetRow> {
    let set = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
    let hosted = KNOWN.iter().filter(|known| set(known.secret).is_some()).map(|known| TargetRow {
        name: known.name.to_owned(),
        base_url: known.base_url.to_owned(),
        dialect: known.dialect,
        model: known.model.to_owned(),
        models: Vec::new(),
        embeddings: Vec::new(),
        secret: Some(known.secret.to_owned()),
        usd_per_mtok_in: known.usd_per_mtok_in,
        usd_per_mtok_out: known.usd_per_mtok_out,
    });
    let ollama = set("OLLAMA_HOST").map(|host| TargetRow {
        name: "ollama".to_owned(),
        base_url: ollama_url(host.trim()),
        dialect: Dialect::OpenAi,
        model: set("OLLAMA_MODEL").unwrap_or_else(|| "llama3.2".to_owned()),
        models: vec!["*".to_owned()],
        embeddings: Vec::new(),
        secret: None,
        usd_per_mtok_in: 0.0,
        usd_per_mtok_out: 0.0,
    });
    hosted.chain(ollama).collect()
}

/// `OLLAMA_HOST` may be `host`, `host:port` or a URL; Ollama's own port is 11434.
fn ollama_url(host: &str) -> String {
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let rest = rest.trim_end_matches('/');
    let port = if rest.contains(':') || scheme == "https" { "" } else { ":11434" };
    format!("{scheme}://{rest}{port}/v1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::model;

    #[test]
    fn default_models_are_in_the_catalogue_at_the_same_prices() {
        for known in &KNOWN {
            let prices = model(known.name, known.model).expect(known.model).prices;
            assert_eq!(
                (prices.input, prices.output),
                (known.usd_per_mtok_in, known.usd_per_mtok_out),
                "{}",
                known.model
            );
        }
    }

    #[test]
    fn targets_follow_the_keys_that_are_set() {
        let found = |names: &[(&str, &str)]| {
            let lookup =
                |name: &str| names.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            discover(lookup)
                .into_iter()
                .map(|row| format!("{} {}", row.name, row.base_url))
                .collect::<Vec<_>>()
        };
        assert_eq!(found(&[]), Vec::<String>::new());
        assert_eq!(found(&[("OPENAI_API_KEY", " ")]), Vec::<String>::new());
        assert_eq!(
            found(&[("OLLAMA_HOST", "localhost"), ("OPENAI_API_KEY", "k")]),
            ["openai https://api.openai.com/v1", "ollama http://localhost:11434/v1"]
        );
        assert_eq!(found(&[("OLLAMA_HOST", "http://10.0.0.1:9/")]), ["ollama http://10.0.0.1:9/v1"]);
    }
}
