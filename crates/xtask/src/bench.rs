//! `cargo xtask bench`: what the artefacts cost, beside what would be used instead of them.

mod bounds;
mod contestant;
mod gateways;
mod http;
mod init;
mod lambda;
mod machine;
mod model;
mod nginx;
mod overhead;
mod paced;
mod question;
mod rivals;
mod running;
mod sample;
mod sandbox;
mod streams;
mod tables;
mod translation;
mod worker;
mod workerd;
mod wrk;

use crate::failure::{Failure, Result};

struct Bench {
    name: &'static str,
    what: &'static str,
    /// What `--only` can name.
    keys: fn() -> Vec<&'static str>,
    run: fn(&Options) -> Result<()>,
}

const BENCHES: [Bench; 5] = [
    Bench {
        name: "overhead",
        what: "gateways beside each other, the Worker and the Lambda binary; writes target/bench/overhead.json",
        keys: overhead::keys,
        run: overhead::run,
    },
    Bench {
        name: "streams",
        what: "first tokens, CPU a token beside nginx, a thousand streams at once; writes target/bench/streams.json",
        keys: streams::keys,
        run: streams::run,
    },
    Bench {
        name: "translation",
        what: "a streamed token between every two dialects; writes target/bench/translation.json",
        keys: translation::keys,
        run: translation::run,
    },
    Bench {
        name: "sandbox",
        what: "a run of code beside the same bare and in other sandboxes; writes target/bench/sandbox.json",
        keys: sandbox::keys,
        run: sandbox::run,
    },
    Bench {
        name: "model",
        what: "the models that are served on this machine; writes target/bench/model.json",
        keys: model::keys,
        run: model::run,
    },
];

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

/// Runs the named benchmarks, or all after naming them; of all, those that `--only` names a part of.
pub fn run(names: &[String], options: &Options) -> Result<()> {
    let known = |name: &&String| BENCHES.iter().any(|bench| bench.name == *name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(Failure::Missing(format!("no benchmark is called {unknown:?}: there are\n{}", list())));
    }
    if names.is_empty() {
        println!("benchmarks:\n{}", list());
    }
    let named = |bench: &&Bench| names.is_empty() || names.iter().any(|name| name == bench.name);
    let keys: Vec<&str> = BENCHES.iter().filter(named).flat_map(|bench| (bench.keys)()).collect();
    if let Some(unknown) = options.only.iter().find(|name| !keys.contains(&name.as_str())) {
        let all = keys.join(",");
        return Err(Failure::Missing(format!("--only cannot name {unknown:?}: it takes any of {all}")));
    }
    let wanted = |bench: &&Bench| named(bench) && (bench.keys)().into_iter().any(|key| options.wants(key));
    BENCHES.iter().filter(wanted).try_for_each(|bench| (bench.run)(options))
}

fn list() -> String {
    BENCHES.map(|bench| format!("  {}  {}", bench.name, bench.what)).join("\n")
}
