//! The one binary: `opencode serve` is the platform on this machine, `opencode model` a model for it, `opencode
//! sandbox` runs code for it, and `opencode admin` and `opencode config` are small tools.

mod admin;
mod args;
mod child;
mod data;
mod import;
mod log;
mod model;
mod models;
mod sandbox;
mod serve;
mod setup;
mod welcome;

use std::process::ExitCode;

use args::Command;

/// Answers are many small values that live briefly: this allocator makes them cheaper than the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What cannot start ends with this status and one line on stderr.
const CANNOT_START: u8 = 2;

fn main() -> ExitCode {
    let done = match args::parse(lexopt::Parser::from_env()) {
        Ok(Command::Serve(options)) => serve::run(options),
        Ok(Command::Model(options)) => model::run(options),
        Ok(Command::Sandbox(options)) if options.environment => {
            return opencode_sandbox::serve::runtime::main();
        }
        Ok(Command::Sandbox(options)) => sandbox::run(options),
        Ok(Command::MintKey { tenant, id, role }) => admin::mint_key(&tenant, &id, role),
        Ok(Command::CheckConfig(path)) => admin::check_config(&path),
        Ok(Command::ImportFlags(path)) => import::run(&path),
        Ok(Command::Help) => {
            say(args::USAGE);
            Ok(())
        }
        Ok(Command::Version) => {
            say(concat!("opencode ", env!("CARGO_PKG_VERSION")));
            Ok(())
        }
        Err(why) => Err(format!("{why}; see opencode --help")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("opencode: {why}");
            ExitCode::from(CANNOT_START)
        }
    }
}

#[allow(clippy::print_stdout, reason = "what a command was asked for goes to stdout; logs go to stderr")]
fn say(text: &str) {
    println!("{}", text.trim_end());
}
