//! What a start needs beside the command line: configuration, secret and, for development, a key.

use std::path::Path;

use opencode_core::catalog::discover;
use opencode_core::config::features::Features;
use opencode_core::config::rows::{KeyRow, TenantRow};
use opencode_core::config::sandbox::TenantSandbox;
use opencode_core::config::{Config, MAX_TEXT};
use opencode_core::identity::Tenant;
use opencode_core::identity::key::{MIN_SECRET, SECRET_NAME, hash, mint};
use opencode_core::identity::role::Role;
use opencode_core::isolate::Base;
use opencode_native::MAX_BODY;

use crate::data::{Data, random};

/// The variable that holds the configuration's text where there is no file.
const CONFIG: &str = "OPENCODE_CONFIG";
/// The tenant and the key that are made for development, and the file that keeps the key.
const DEV: &str = "dev";
/// See [`DEV`].
pub const DEV_KEY: &str = "dev-key";

/// A configuration as it was found.
pub struct Found {
    /// Its text.
    pub text: String,
    /// Read and checked.
    pub config: Config,
}

/// Reads the configuration.
pub fn configuration(file: Option<&Path>) -> Result<Found, String> {
    let (text, place) = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("the configuration {} cannot be read: {error}", path.display()))?;
            (text, path.display().to_string())
        }
        None => (variable(CONFIG).unwrap_or_default(), format!("in {CONFIG}")),
    };
    if text.len() > MAX_TEXT {
        return Err(format!("the configuration {place} is longer than {MAX_TEXT} bytes"));
    }
    let config = Config::parse(&text).map_err(|problem| format!("the configuration {place}: {problem}"))?;
    Ok(Found { text, config })
}

/// What the platform starts with, but for models of this machine.
pub fn base(found: &Found, data: &Data) -> Result<Base, String> {
    let secret = secret(data)?;
    let development = if found.config.keys.is_empty() { Some(development(data, &secret)?) } else { None };
    Ok(Base {
        text: found.text.clone(),
        secret: Some(secret),
        max_body: MAX_BODY,
        found: discover(variable),
        development,
        ..Base::default()
    })
}

/// The deployment's secret: the environment's, or else one that is made and kept in the data folder.
fn secret(data: &Data) -> Result<String, String> {
    match variable(SECRET_NAME) {
        Some(secret) if secret.len() < MIN_SECRET => Err(format!(
            "{SECRET_NAME} must have at least {MIN_SECRET} random bytes; unset it and one is made"
        )),
        Some(secret) => Ok(secret),
        None => data.kept("secret", || Ok(format!("{:032x}{:032x}", random()?, random()?))),
    }
}

/// A tenant and an operator's key for development, where the configuration lets nobody in.
fn development(data: &Data, secret: &str) -> Result<(TenantRow, KeyRow), String> {
    let tenant = Tenant::try_from(DEV.to_owned())?;
    let key = data.kept(DEV_KEY, || Ok(mint(&tenant, DEV, random()?)))?;
    let row = TenantRow {
        name: tenant.clone(),
        requests_per_minute: 0,
        concurrency: 0,
        usd_per_day: 0.0,
        targets: Vec::new(),
        features: Features::default(),
        sandbox: TenantSandbox::default(),
    };
    let key = KeyRow { id: DEV.to_owned(), tenant, hash: hash(secret, &key), role: Role::Operator };
    Ok((row, key))
}

/// An environment variable that says something.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}
