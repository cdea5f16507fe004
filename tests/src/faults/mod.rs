//! Every fault of the catalogue, from every upstream dialect, to every caller: what the caller sees byte for byte, what
//! the upstream sees, what the receipt says.
//!
//! The first target has the fault, the second, of the same dialect, is healthy. On native all five surfaces call; on the
//! other hosts the upstream's own dialect and the platform's. One line of score for each host.
//!
//! - `table`: what each row's caller and upstream must see, as data.
//! - `case`: one row, one upstream, one caller.
//! - `flap`: S15, which takes several answers and the breaker's time.
//! - `golden`: the bytes that each caller gets, the same on every host, in `tests/golden/faults/`.

pub mod caller;
mod case;
mod flap;
mod golden;
mod plain;
mod table;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use self::caller::Caller;
use self::case::{Case, Pair, Place};
use self::golden::Goldens;
use self::table::ROWS;
use crate::hosts::ctx::Ctx;
use crate::hosts::each::Round;
use crate::hosts::platform::{Kind, Platform};
use crate::suite::RUNTIME;
use crate::wall::Wall;

/// Upstream dialects: the name of the targets, and the caller of the same dialect.
const UPSTREAMS: [(&str, &str, Caller); 4] = [
    ("openai", "wall", Caller::OpenAi),
    ("responses", "wall-responses", Caller::Responses),
    ("anthropic", "wall-anthropic", Caller::Anthropic),
    ("gemini", "wall-gemini", Caller::Gemini),
];

/// Runs the suite on one host after another.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    let goldens = Arc::new(Goldens::new(arguments.filter.is_none()));
    Round::new("faults", arguments, 12)?.each(
        |kind| kind != Kind::BareWorkerd,
        |platform, wall| {
            places(platform.kind).flat_map(|place| trials(place, platform, wall, &goldens)).collect()
        },
    )
}

/// Every pair of an upstream and a caller.
fn places(kind: Kind) -> impl Iterator<Item = Place> {
    UPSTREAMS.into_iter().flat_map(move |(upstream, target, own)| {
        let here = move |caller: Caller| kind == Kind::Native || caller == own || caller == Caller::Platform;
        let callers = caller::ALL.into_iter().filter(move |(_, caller)| here(*caller));
        callers.map(move |(called, caller)| Place { upstream, target, called, caller })
    })
}

/// Every row in one place. What takes longest begins first.
fn trials(place: Place, platform: &Arc<Platform>, wall: &Arc<Wall>, goldens: &Arc<Goldens>) -> Vec<Trial> {
    let pair =
        |name: &str, fault: &str| Pair::new(Ctx::new(Arc::clone(platform), Arc::clone(wall), name), fault);
    let mut trials = Vec::new();
    let name = format!("S15::{}::{}", place.upstream, place.called);
    let (flapping, kept) = (pair(&name, &flap::fault()), Arc::clone(goldens));
    trials.push(Trial::test(name, move || Ok(RUNTIME.block_on(flap::run(&flapping, place, &kept))?)));
    for row in &ROWS {
        for stream in [true, false] {
            let shape = if stream { "stream" } else { "whole" };
            let name = format!("{}::{}::{}::{shape}", row.id.replace(' ', "-"), place.upstream, place.called);
            let (pair, goldens) = (pair(&name, row.fault), Arc::clone(goldens));
            trials.push(Trial::test(name, move || {
                let case = Case { pair: &pair, row, place, stream, goldens: &goldens };
                RUNTIME.block_on(case.run()).map_err(|error| format!("{}: {error}", row.what).into())
            }));
        }
    }
    trials
}
