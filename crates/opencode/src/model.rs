//! `opencode model`: one model, served in the OpenAI dialect.

use opencode_model::Options;
use opencode_model::tiers::TIERS;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Model;
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
        let end = end(options.child)?;
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

/// A child ends when its parent does, and closes its stdin by that; Ctrl-C at the terminal reaches it too, but its parent
/// still has answers to finish. Anything else ends by Ctrl-C or SIGTERM.
fn end(child: bool) -> Result<impl Future<Output = ()>, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("signals cannot be listened for: {error}"));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        if child {
            // A thread of its own: nothing at the end of this process waits for what it reads.
            let (over, ended) = tokio::sync::oneshot::channel::<()>();
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                drop(over);
            });
            let _ = ended.await;
            return;
        }
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
