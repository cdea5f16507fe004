//! The official SDKs, unmodified, against every host.
//!
//! A case is a row of data: a job for an SDK, what the SDK must make of the answer, and what must have reached the
//! upstream. Between SDK and host stands a relay that keeps every byte; each answer and chunk that went by is held
//! against OpenAI's own schema, where it is in one of OpenAI's dialects; what other SDKs need of an answer, they check
//! themselves. A case is a trial for each client: `openai-python::chat/stream`.

mod case;
mod cases;
mod driver;
mod outcome;
mod relay;
mod schema;
mod sdk;
mod spelling;
mod wire;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use self::case::Case;
use self::driver::Drivers;
use self::schema::Schemas;
use self::sdk::Client;
use crate::hosts::ctx::Ctx;
use crate::hosts::each::Round;
use crate::hosts::platform::{Kind, Platform};
use crate::suite::{self, RUNTIME};
use crate::wall::Wall;

/// What all trials share.
struct Bench {
    drivers: Drivers,
    schemas: Option<Schemas>,
}

/// Runs the suite on one host after another; one line of result for each.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    let schemas = Schemas::open()?;
    if schemas.is_none() {
        suite::say("clients: OpenAI's schema is not beside the project; answers are not held against it");
    }
    let round = Round::new("clients", arguments, 4)?;
    let drivers = RUNTIME.block_on(async { Drivers::start(round.folder()) })?;
    let bench = Arc::new(Bench { drivers, schemas });
    let passed = round.each(
        |_| true,
        |platform, wall| {
            let rows = cases::all().into_iter();
            let trials = rows.flat_map(|case| {
                let case = Arc::new(case);
                let here = |client: &&Client| platform.kind == Kind::Native || case.is_everywhere(client);
                let clients = case.clients.iter().filter(here);
                clients.map(|client| trial(&case, *client, platform, wall, &bench)).collect::<Vec<_>>()
            });
            trials.collect()
        },
    );
    let _running = RUNTIME.enter();
    drop(bench);
    passed
}

fn trial(
    case: &Arc<Case>,
    client: Client,
    platform: &Arc<Platform>,
    wall: &Arc<Wall>,
    bench: &Arc<Bench>,
) -> Trial {
    let name = format!("{}::{}", client.name, case.name);
    let ctx = Ctx::new(Arc::clone(platform), Arc::clone(wall), &name);
    let (case, bench) = (Arc::clone(case), Arc::clone(bench));
    let run = move || {
        RUNTIME.block_on(case.run(client, &ctx, &bench.drivers, bench.schemas.as_ref()))?;
        Ok(())
    };
    Trial::test(name, run)
}
