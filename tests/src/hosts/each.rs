//! A suite on one host after another.

use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tempfile::TempDir;

use super::platform::{Kind, Platform};
use crate::suite::{self, RUNTIME};
use crate::wall::Wall;

const KINDS: [Kind; 5] =
    [Kind::Native, Kind::Workerd, Kind::BareWorkerd, Kind::LambdaEmulator, Kind::LambdaFrozen];

/// Chooses hosts by their names, with commas between them; all without it.
const CHOICE: &str = "OPENCODE_HOSTS";

/// One run of a suite: the wall that every host asks, and a folder for what the hosts say.
pub struct Round {
    suite: &'static str,
    arguments: Arguments,
    wall: Arc<Wall>,
    folder: TempDir,
}

impl Round {
    /// `threads`: how many trials run at once, unless the arguments say so.
    pub fn new(suite: &'static str, arguments: &Arguments, threads: usize) -> Result<Self, String> {
        let mut arguments = arguments.clone();
        arguments.test_threads.get_or_insert(threads);
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let wall = Arc::new(RUNTIME.block_on(Wall::start())?);
        Ok(Self { suite, arguments, wall, folder })
    }

    /// Where the hosts write; it is kept when a trial fails.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts each wanted host that `runs` there, runs its trials and prints their score: `suite on host: N passed, N
    /// failed`.
    pub fn each(
        self,
        runs: impl Fn(Kind) -> bool,
        mut trials: impl FnMut(&Arc<Platform>, &Arc<Wall>) -> Vec<Trial>,
    ) -> Result<bool, String> {
        let mut passed = true;
        for kind in wanted().into_iter().filter(|kind| runs(*kind)) {
            passed &= self.on(kind, &mut trials);
        }
        if !passed {
            suite::say(&format!("what the hosts said is in {}", self.folder.keep().display()));
        }
        Ok(passed)
    }

    /// A host that does not start fails one trial instead of ending the suite.
    fn on(&self, kind: Kind, trials: &mut impl FnMut(&Arc<Platform>, &Arc<Wall>) -> Vec<Trial>) -> bool {
        let name = format!("{} on {}", self.suite, kind.name());
        let folder = self.folder.path().join(kind.name());
        let platform = match RUNTIME.block_on(Platform::start(kind, &self.wall.url, &folder)) {
            Ok(platform) => Arc::new(platform),
            Err(error) => {
                let trial = Trial::test("start", move || Err(error.into()));
                return suite::run(&name, &Arguments::default(), vec![trial]);
            }
        };
        let passed = suite::run(&name, &self.arguments, trials(&platform, &self.wall));
        // Whatever its cases hold on to, the children end with the platform.
        let _running = RUNTIME.enter();
        drop(platform);
        passed
    }
}

/// The hosts that are wanted, in the order they run.
fn wanted() -> Vec<Kind> {
    let choice = std::env::var(CHOICE).unwrap_or_default();
    let wanted = |kind: &Kind| choice.is_empty() || choice.split(',').any(|name| name == kind.name());
    KINDS.into_iter().filter(wanted).collect()
}
