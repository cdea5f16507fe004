//! `cargo xtask bench`: what the artefacts cost, beside what would be used instead of them.

mod bounds;
mod contestant;
mod gateways;
mod http;
mod init;
mod lambda;
mod machine;
mod nginx;
mod overhead;
mod paced;
mod question;
mod rivals;
mod running;
mod sample;
mod tables;
mod worker;
mod workerd;
mod wrk;

use crate::failure::{Failure, Result};

/// Every benchmark by its name.
const BENCHES: [(&str, &str); 1] = [(
    "overhead",
    "gateways beside each other, the Worker and the Lambda binary; writes target/bench/overhead.json",
)];

/// How a benchmark is run.
#[derive(Default)]
pub struct Options {
    /// One short round: to see that everything runs, not for figures.
    pub quick: bool,
    /// Which contestants and parts take part; all when empty.
    pub only: Vec<String>,
}

impl Options {
    /// Whether a contestant or part takes part.
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// Runs the named benchmarks, or all after naming them.
pub fn run(names: &[String], options: &Options) -> Result<()> {
    let known = |name: &&String| BENCHES.iter().any(|(bench, _)| bench == *name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(Failure::Missing(format!("no benchmark is called {unknown:?}: there are\n{}", list())));
    }
    if names.is_empty() {
        println!("benchmarks:\n{}", list());
    }
    overhead::run(options)
}

fn list() -> String {
    BENCHES.map(|(name, what)| format!("  {name}  {what}")).join("\n")
}
