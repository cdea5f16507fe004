//! Small tools for whoever runs the platform.

use opencode_core::identity::Tenant;
use opencode_core::identity::key::{MIN_SECRET, SECRET_NAME, hash, mint};

use crate::{data, say};

/// Makes an API key and prints it with its configuration row. Nothing is stored.
pub fn mint_key(tenant: &str, id: &str) -> Result<(), String> {
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
    if id.is_empty() || id.len() > 63 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(format!("the id {id:?} must be 1 to 63 letters and digits"));
    }
    let key = mint(&tenant, id, data::random()?);
    let hash = hash(&secret, &key);
    say(&format!("{key}\n\n[[keys]]\nid = \"{id}\"\ntenant = \"{tenant}\"\nhash = \"{hash}\""));
    Ok(())
}
