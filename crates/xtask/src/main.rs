//! `cargo xtask`: every step that needs more than one tool, and nothing else.

// Talking to whoever runs it is what this command is for.
#![allow(clippy::print_stdout)]

mod artefacts;
mod bench;
mod catalog;
mod deploy;
mod failure;
mod process;
mod size;
mod suites;
mod times;
mod tools;
mod workspace;

use std::process::ExitCode;

use failure::{Failure, Result};

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test [SUITE...] [--filter TEXT]  sets up the tools, builds what the suites need and runs them;
                                   suites: unit tidy golden captures fuzz sim ports hosts faults config model clients contract
                                   deploy-check
                                   (all without a name)
  build [native|worker|lambda...]  builds the release artefacts (all without a name)
  deploy-check                     checks the deploy files and the artefacts' sizes, offline
  bench [NAME...] [--quick] [--only LIST]
                                   measures the artefacts beside what else there is (all benchmarks without a name);
                                   --only names contestants and parts: direct,nginx,ours,tensorzero,portkey,
                                   litellm,worker,lambda,first-token,passing,many,translation,small,strong;
                                   LiteLLM is a download of 750 MB
  catalog CSV DATE                 writes crates/core/catalog.toml from litellm's price list, without the models
                                   that are switched off by DATE (YYYY-MM-DD)
  tools                            sets up every tool in the cache folder, if it is not there yet";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::from(1)
        }
        Err(Failure::Missing(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<()> {
    let arguments = Arguments::parse()?;
    let names = arguments.names.as_slice();
    match arguments.command.as_str() {
        "test" => suites::test(names, arguments.filter.as_deref()),
        "build" => artefacts::build(names),
        "deploy-check" if names.is_empty() => deploy::check(),
        "bench" => bench::run(names, &arguments.bench),
        "catalog" => catalog::write(names),
        "tools" if names.is_empty() => tools::set_up(&tools::ALL).map(drop),
        "help" => {
            println!("{USAGE}");
            Ok(())
        }
        other => {
            Err(Failure::Missing(format!("cannot do {:?}\n{USAGE}", [&[other.to_owned()], names].concat())))
        }
    }
}

/// The command line: a command, names, a filter for `test`, and how to `bench`.
struct Arguments {
    command: String,
    names: Vec<String>,
    filter: Option<String>,
    bench: bench::Options,
}

impl Arguments {
    fn parse() -> Result<Self> {
        use lexopt::prelude::{Long, Short, Value, ValueExt};
        let wrong = |error: lexopt::Error| Failure::Missing(format!("{error}\n{USAGE}"));
        let mut words = Vec::new();
        let mut filter = None;
        let mut bench = bench::Options::default();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next().map_err(wrong)? {
            match argument {
                Long("filter") => {
                    filter = Some(parser.value().and_then(|value| value.string()).map_err(wrong)?)
                }
                Long("quick") => bench.quick = true,
                Long("only") => {
                    let list = parser.value().and_then(|value| value.string()).map_err(wrong)?;
                    bench.only.extend(list.split(',').map(|name| name.trim().to_owned()));
                }
                Long("help") | Short('h') => words.insert(0, "help".to_owned()),
                Value(word) => words.push(word.string().map_err(wrong)?),
                other => return Err(wrong(other.unexpected())),
            }
        }
        if words.is_empty() {
            words.push("help".to_owned());
        }
        Ok(Self { command: words.remove(0), names: words, filter, bench })
    }
}
