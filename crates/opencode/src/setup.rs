//! What a start needs beside the command line: configuration, targets, secret and, for development, a key.

use std::path::Path;

use opencode_core::catalog::discover;
use opencode_core::config::{Config, TenantRow};
use opencode_core::identity::Tenant;
use opencode_core::identity::key::{KeyRow, SECRET_NAME, hash, mint};

use crate::data::{Data, random};

/// The variable that holds the configuration's text where there is no file.
const CONFIG: &str = "OPENCODE_CONFIG";
/// The tenant and the key that are made for development, and the file that keeps the key.
const DEV: &str = "dev";
/// See [`DEV`].
pub const DEV_KEY: &str = "dev-key";

/// Reads the configuration and sees that there is someone to ask.
pub fn configuration(file: Option<&Path>) -> Result<Config, String> {
    let mut config = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("the configuration {} cannot be read: {error}", path.display()))?;
            Config::parse(&text)
                .map_err(|why| format!("the configuration {}: {}", path.display(), one_line(&why)))?
        }
        None => Config::parse(&variable(CONFIG).unwrap_or_default())
            .map_err(|why| format!("the configuration in {CONFIG}: {}", one_line(&why)))?,
    };
    if config.targets.is_empty() {
        config.targets = discover(variable);
    }
    if config.targets.is_empty() {
        return Err("there is no target to ask: set OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY or OLLAMA_HOST, \
                    or name [[targets]] in a file given with --config"
            .to_owned());
    }
    Ok(config)
}

/// The deployment's secret: the environment's, or else one that is made and kept in the data folder.
pub fn secret(data: &Data) -> Result<String, String> {
    match variable(SECRET_NAME) {
        Some(secret) => Ok(secret),
        None => data.kept("secret", || Ok(format!("{:032x}{:032x}", random()?, random()?))),
    }
}

/// Lets a development key in where the configuration lets nobody in; true if it did.
pub fn development_key(config: &mut Config, data: &Data, secret: &str) -> Result<bool, String> {
    if !config.keys.is_empty() {
        return Ok(false);
    }
    let tenant = Tenant::try_from(DEV.to_owned())?;
    let key = data.kept(DEV_KEY, || Ok(mint(&tenant, DEV, random()?)))?;
    if config.tenant(&tenant).is_none() {
        config.tenants.push(TenantRow {
            name: tenant.clone(),
            requests_per_minute: 0,
            concurrency: 0,
            usd_per_day: 0.0,
        });
    }
    config.keys.push(KeyRow { id: DEV.to_owned(), tenant, hash: hash(secret, &key) });
    Ok(true)
}

/// An environment variable that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
