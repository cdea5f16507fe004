//! The isolate's configuration, read once.

use std::cell::OnceCell;
use std::sync::Arc;

use opencode_core::catalog::discover;
use opencode_core::config::Config;
use opencode_core::identity::key::SECRET_NAME;
use opencode_core::isolate::Isolate;
use worker::{Env, console_error};

use crate::edge::lookup;

/// The variable with the configuration's TOML text.
const CONFIG_NAME: &str = "OPENCODE_CONFIG";

thread_local! {
    static ISOLATE: OnceCell<Result<Arc<Isolate>, String>> = const { OnceCell::new() };
}

/// What this isolate runs with, or what to tell callers when the deployment's configuration cannot be used. Why it
/// cannot is for the logs: the parser quotes the configuration.
pub fn get(env: &Env) -> Result<Arc<Isolate>, String> {
    ISOLATE.with(|cell| cell.get_or_init(|| make(env).map_err(report)).clone())
}

fn report(why: String) -> String {
    console_error!("configuration: {why}");
    "this deployment's configuration cannot be used; the Worker's logs say why".to_owned()
}

fn make(env: &Env) -> Result<Arc<Isolate>, String> {
    let text = lookup(env, CONFIG_NAME).unwrap_or_default();
    let mut config = Config::parse(&text).map_err(|why| format!("{CONFIG_NAME}: {why}"))?;
    if config.targets.is_empty() {
        config.targets = discover(|name| lookup(env, name));
    }
    Isolate::new(config, lookup(env, SECRET_NAME).as_deref(), None)
}
