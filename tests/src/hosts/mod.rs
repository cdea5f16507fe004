//! One black-box suite over HTTP for every host.
//!
//! A case is one `async fn(&Ctx) -> Result<(), String>` in the table of [`cases`]. It runs on every host; where the
//! truth differs by platform it asks [`Ctx::kind`]. Cases run four at a time, an exclusive one alone.

pub mod cases;
pub mod ctx;
pub mod each;
pub mod emulator;
pub mod frozen;
pub mod lambda;
pub mod native;
pub mod platform;
pub mod setup;
pub mod stores;
pub mod workerd;
pub mod wrangler;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tokio::sync::RwLock;

use self::cases::Case;
use self::ctx::Ctx;
use self::each::Round;
use self::platform::Platform;
use crate::suite::RUNTIME;
use crate::wall::Wall;

/// Runs the suite on one host after another; one line of result for each.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    Round::new("hosts", arguments, 4)?.each(
        |_| true,
        |platform, wall| {
            let alone = Arc::new(RwLock::new(()));
            let cases = cases::all().into_iter().filter(|case| case.on(platform.kind));
            cases.map(|case| trial(case, platform, wall, &alone)).collect()
        },
    )
}

fn trial(case: Case, platform: &Arc<Platform>, wall: &Arc<Wall>, alone: &Arc<RwLock<()>>) -> Trial {
    let ctx = Ctx::new(Arc::clone(platform), Arc::clone(wall), case.name);
    let alone = Arc::clone(alone);
    Trial::test(case.name, move || {
        RUNTIME.block_on(async {
            if case.exclusive {
                let _all = alone.write().await;
                (case.run)(&ctx).await
            } else {
                let _one = alone.read().await;
                (case.run)(&ctx).await
            }
        })?;
        Ok(())
    })
}
