//! A request that asks for a tool which the platform has as well: what is to be done.

use super::answer::Options;
use crate::config::Config;
use crate::config::features::Flags;
use crate::error::Error;
use crate::host::Time;
use crate::modes::{Chat, Files, Interpreter, Program};
use crate::wire::Dialect;
use crate::wire::builtin::{self, Offer};
use crate::wire::json::Members;
use crate::wire::prompt::Prompt;

/// The program, its first question, and why the platform cannot stand in, for targets that do not have the tool. One
/// that nobody may use here is left as it is: what speaks the caller's dialect may have it.
pub fn program(
    config: &Config,
    options: &Options,
    flags: &Flags,
    dialect: Dialect,
    members: Members,
    id: &str,
    now: Time,
) -> (Program, Prompt, Option<Error>) {
    let plain = |members: Members, refused| {
        let prompt = Prompt::Own(dialect, members);
        (Program::Chat(Chat::of(prompt.clone())), prompt, refused)
    };
    let Some(most) = options.code.filter(|_| flags.code_runs > 0) else { return plain(members, None) };
    let offer = match builtin::offer(dialect, &members) {
        None => return plain(members, None),
        Some(offer) => offer.and_then(|offer| within(offer, most.memory_bytes)),
    };
    let offer = match offer {
        Ok(offer) => offer,
        Err(error) => return plain(members, Some(error)),
    };
    let keep = config.sandbox.session_seconds;
    let files = match (keep, &offer.container) {
        (0, _) => Files::default(),
        (_, Some(container)) => Files { session: Some(container.clone()), expires: 0 },
        _ => Files { session: Some(format!("cntr_{id}")), expires: 0 },
    };
    let expires = now.0.checked_div(1000).unwrap_or(0).saturating_add(keep);
    let files = Files { expires, ..files };
    let interpreter = Interpreter::new(dialect, members, offer, id, files, flags.code_runs);
    let prompt = interpreter.prompt();
    (Program::Interpreter(Box::new(interpreter)), prompt, None)
}

fn within(offer: Offer, most: u64) -> Result<Offer, Error> {
    if offer.memory.is_none_or(|memory| memory <= most) {
        return Ok(offer);
    }
    let detail = format!("`container.memory_limit` is more than the {most} bytes that a run may have here");
    Err(Error::invalid(detail).at("tools"))
}
