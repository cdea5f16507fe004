//! Small tools for whoever runs the platform.

use std::path::Path;

use opencode_core::config::Config;
use opencode_core::identity::Tenant;
use opencode_core::identity::key::{MIN_SECRET, SECRET_NAME, hash, is_id, mint};
use opencode_core::identity::role::Role;

use crate::{data, say};

/// Makes an API key and prints it with its configuration row. Nothing is stored.
pub fn mint_key(tenant: &str, id: &str, role: Role) -> Result<(), String> {
    let secret = std::env::var(SECRET_NAME).unwrap_or_default();
    if secret.len() < MIN_SECRET {
        return Err(format!(
            "{SECRET_NAME} must be set to the deployment's secret, of at least {MIN_SECRET} bytes (the local one is \
             in the file `secret` of the data folder)"
        ));
    }
    let tenant = Tenant::try_from(tenant.to_owned())?;
    if tenant == Tenant::system() {
        return Err("the tenant `_` is the platform itself and has no keys".to_owned());
    }
    if !is_id(id) {
        return Err(format!("the id {id:?} must be 1 to 32 letters and digits"));
    }
    let key = mint(&tenant, id, data::random()?);
    let hash = hash(&secret, &key);
    let role = if role == Role::default() { String::new() } else { format!("\nrole = \"{role}\"") };
    say(&format!("{key}\n\n[[keys]]\nid = \"{id}\"\ntenant = \"{tenant}\"\nhash = \"{hash}\"{role}"));
    Ok(())
}

/// Says whether a configuration can be used.
pub fn check_config(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let config = Config::parse(&text).map_err(|problem| format!("{}: {problem}", path.display()))?;
    say(&format!(
        "{} is sound: {} targets, {} tenants, {} keys",
        path.display(),
        config.targets.len(),
        config.tenants.len(),
        config.keys.len()
    ));
    Ok(())
}
