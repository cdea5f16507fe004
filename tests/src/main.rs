//! `opencode-tests golden | captures | fuzz | sim | ports | hosts | faults | config | model | clients | contract | sandbox | tidy [filter]`: one suite, one process,
//! one line of result per host.
//! `opencode-tests stores` lends DynamoDB Local and ElasticMQ to another program's tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    opencode_tests::sandbox::inner(&args).unwrap_or_else(|| opencode_tests::suite::main(args))
}
