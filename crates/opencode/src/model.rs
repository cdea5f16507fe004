//! `opencode model`: one model, served in the OpenAI dialect.

use opencode_model::Options;
use opencode_model::tiers::TIERS;

use crate::args::Model;
use crate::child::told_to_end;
use crate::{log, say};

/// How many requests wait for the one that is being computed.
const QUEUE: usize = 16;
/// The context of a model that the table of tiers does not know.
const CONTEXT: usize = 4_096;

/// Serves until it is told to end. Prints the address once requests are answered. The error is one line.
pub fn run(options: Model) -> Result<(), String> {
    log::start();
    let file = options.gguf.file_name().unwrap_or_default();
    let tier = TIERS.iter().find(|tier| file == tier.file);
    let name = options.name.unwrap_or_else(|| file.to_string_lossy().into_owned());
    let served = Options {
        gguf: options.gguf,
        name,
        listen: options.listen,
        threads: 0,
        context: tier.map_or(CONTEXT, |tier| tier.context),
        queue: QUEUE,
        temperature: tier.map_or(0.7, |tier| tier.temperature),
        top_p: tier.map_or(0.95, |tier| tier.top_p),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no threads to run on: {error}"))?;
    let served = runtime.block_on(async {
        let end = told_to_end(options.child)?;
        tokio::select! {
            served = opencode_model::serve(served, |address| say(&address.to_string())) => {
                served.map_err(|error| error.to_string())
            }
            () = end => Ok(()),
        }
    });
    match served {
        // Its parent says it, with what it was started for.
        Err(why) if options.child => {
            say(&why);
            Ok(())
        }
        served => served,
    }
}
