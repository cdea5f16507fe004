//! Runs a suite's trials and prints its result on one line.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::LazyLock;

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;

use crate::{
    captures, child, clients, config, contract, faults, fuzz, golden, hosts, model, ports, sandbox, sim, tidy,
};

const USAGE: &str = "usage: opencode-tests golden | captures | fuzz | sim | ports | hosts | faults | config | model | clients | contract | sandbox | tidy | stores [filter]";

/// The runtime that every suite's servers and children live on.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Runs the suite that the first argument names; the others are libtest's.
pub fn main(mut args: Vec<String>) -> ExitCode {
    let suite = if args.is_empty() { String::new() } else { args.remove(0) };
    let arguments = Arguments::from_iter(std::iter::once(suite.clone()).chain(args));
    RUNTIME.spawn(end_on_interrupt());
    let outcome = match suite.as_str() {
        "golden" => Ok(run("golden", &arguments, golden::trials())),
        "captures" => Ok(run("captures", &arguments, captures::trials())),
        "fuzz" => Ok(run("fuzz", &arguments, fuzz::trials())),
        "tidy" => Ok(run("tidy", &arguments, tidy::trials())),
        "sim" => sim::run(&arguments),
        "ports" => ports::run(&arguments),
        "hosts" => hosts::run(&arguments),
        "clients" => clients::run(&arguments),
        "faults" => faults::run(&arguments),
        "config" => config::run(&arguments),
        "model" => model::run(&arguments),
        "contract" => contract::run(&arguments),
        "sandbox" => sandbox::run(&arguments),
        "stores" => RUNTIME.block_on(hosts::stores::lend()).map(|()| true),
        _ => Err(USAGE.to_owned()),
    };
    child::end_all();
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&error);
            ExitCode::from(2)
        }
    }
}

/// Runs trials and prints `name: N passed, N failed`; true when none failed.
pub fn run(name: &str, arguments: &Arguments, trials: Vec<Trial>) -> bool {
    let conclusion = libtest_mimic::run(arguments, trials);
    say(&format!("{name}: {} passed, {} failed", conclusion.num_passed, conclusion.num_failed));
    conclusion.num_failed == 0
}

/// One line on standard output.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("standard output");
}

async fn end_on_interrupt() {
    if tokio::signal::ctrl_c().await.is_ok() {
        child::end_all();
        std::process::exit(130);
    }
}
