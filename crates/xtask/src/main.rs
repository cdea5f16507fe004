//! `cargo xtask`: every step that needs more than one tool, and nothing else.

// Talking to whoever runs it is what this command is for.
#![allow(clippy::print_stdout)]

mod artefacts;
mod bench;
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
                                   suites: unit tidy golden ports hosts deploy-check (all without a name)
  build [native|worker|lambda...]  builds the release artefacts (all without a name)
  deploy-check                     checks the deploy files and the artefacts' sizes, offline
  bench                            measures the artefacts and prints a table in Markdown
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
        "bench" if names.is_empty() => bench::run(),
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

/// The command line: a command, names, and a filter for `test`.
struct Arguments {
    command: String,
    names: Vec<String>,
    filter: Option<String>,
}

impl Arguments {
    fn parse() -> Result<Self> {
        use lexopt::prelude::{Long, Short, Value, ValueExt};
        let wrong = |error: lexopt::Error| Failure::Missing(format!("{error}\n{USAGE}"));
        let mut words = Vec::new();
        let mut filter = None;
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next().map_err(wrong)? {
            match argument {
                Long("filter") => {
                    filter = Some(parser.value().and_then(|value| value.string()).map_err(wrong)?)
                }
                Long("help") | Short('h') => words.insert(0, "help".to_owned()),
                Value(word) => words.push(word.string().map_err(wrong)?),
                other => return Err(wrong(other.unexpected())),
            }
        }
        if words.is_empty() {
            words.push("help".to_owned());
        }
        Ok(Self { command: words.remove(0), names: words, filter })
    }
}
