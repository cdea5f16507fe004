//! What the isolate starts with, read once.

use std::cell::OnceCell;
use std::sync::Arc;

use opencode_core::catalog::discover;
use opencode_core::identity::key::SECRET_NAME;
use opencode_core::isolate::{Base, Isolate};
use worker::{Env, console_error};

use crate::edge::lookup;

/// The variable with the configuration's TOML text.
const CONFIG_NAME: &str = "OPENCODE_CONFIG";

/// The largest body that is taken, in bytes, whatever the configuration says. All requests of an isolate share 128 MB.
const MAX_BODY: usize = 16 * 1024 * 1024;

thread_local! {
    static ISOLATE: OnceCell<Result<Arc<Isolate>, String>> = const { OnceCell::new() };
}

/// What this isolate runs with, or what to tell callers when the deployment's configuration cannot be used. Why it
/// cannot is for the logs.
pub fn get(env: &Env) -> Result<Arc<Isolate>, String> {
    ISOLATE.with(|cell| cell.get_or_init(|| make(env).map_err(report)).clone())
}

fn report(why: String) -> String {
    console_error!("configuration: {why}");
    "this deployment's configuration cannot be used; the Worker's logs say why".to_owned()
}

fn make(env: &Env) -> Result<Arc<Isolate>, String> {
    Isolate::new(Base {
        text: lookup(env, CONFIG_NAME).unwrap_or_default(),
        secret: lookup(env, SECRET_NAME),
        max_body: MAX_BODY,
        found: discover(|name| lookup(env, name)),
        ..Base::default()
    })
}
