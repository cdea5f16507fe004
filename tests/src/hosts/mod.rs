//! One black-box suite over HTTP for every host.
//!
//! A case is one `async fn(&Ctx) -> Result<(), String>` in the table of [`cases`]. It runs on every host; where the
//! truth differs by platform it asks [`Ctx::kind`]. Cases run four at a time, an exclusive one alone.

pub mod cases;
pub mod ctx;
pub mod emulator;
pub mod frozen;
pub mod lambda;
pub mod native;
pub mod platform;
pub mod setup;
pub mod stores;
pub mod workerd;
pub mod wrangler;

use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tokio::sync::RwLock;

use self::cases::Case;
use self::ctx::Ctx;
use self::platform::{Kind, Platform};
use crate::suite::{self, RUNTIME};
use crate::wall::Wall;

const KINDS: [Kind; 5] =
    [Kind::Native, Kind::Workerd, Kind::BareWorkerd, Kind::LambdaEmulator, Kind::LambdaFrozen];

/// Chooses hosts by their names, with commas between them; all without it.
const CHOICE: &str = "OPENCODE_HOSTS";

/// Runs the suite on one host after another; one line of result for each.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    let mut arguments = arguments.clone();
    arguments.test_threads.get_or_insert(4);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let wall = Arc::new(RUNTIME.block_on(Wall::start())?);
    let mut passed = true;
    for kind in chosen() {
        passed &= on(kind, &arguments, &wall, &folder.path().join(kind.name()));
    }
    if !passed {
        suite::say(&format!("what the hosts said is in {}", folder.keep().display()));
    }
    Ok(passed)
}

/// The hosts that are wanted, in the order they run.
pub fn chosen() -> Vec<Kind> {
    let choice = std::env::var(CHOICE).unwrap_or_default();
    let chosen = |kind: &Kind| choice.is_empty() || choice.split(',').any(|name| name == kind.name());
    KINDS.into_iter().filter(chosen).collect()
}

/// A host that does not start fails one trial instead of ending the suite.
fn on(kind: Kind, arguments: &Arguments, wall: &Arc<Wall>, folder: &Path) -> bool {
    let platform = match RUNTIME.block_on(Platform::start(kind, &wall.url, folder)) {
        Ok(platform) => Arc::new(platform),
        Err(error) => {
            let trial = Trial::test("start", move || Err(error.into()));
            return suite::run(kind.name(), &Arguments::default(), vec![trial]);
        }
    };
    let alone = Arc::new(RwLock::new(()));
    let cases = cases::all().into_iter().filter(|case| case.on(kind));
    let trials = cases.map(|case| trial(case, &platform, wall, &alone)).collect();
    let passed = suite::run(kind.name(), arguments, trials);
    // Whatever its cases hold on to, the children end with the platform.
    let _running = RUNTIME.enter();
    drop(platform);
    passed
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
