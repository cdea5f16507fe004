//! The unit tests of all members, counted over all their binaries.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use super::report::Report;
use super::stage::Stage;
use crate::failure::{Doing as _, Result, failed};
use crate::process;

/// Runs them, with DynamoDB Local and ElasticMQ at hand, and prints one line with the sums.
pub fn run(stage: &Stage, filter: Option<&str>, report: &mut Report) -> Result<()> {
    let stores = Stores::start(stage)?;
    let mut cargo = process::cargo();
    cargo.envs(stores.environment.iter().cloned()).env("OPENCODE_TEST_REQUIRED", "1");
    cargo.args(["test", "--workspace", "--tests", "--no-fail-fast"]);
    if let Some(filter) = filter {
        cargo.args(["--", filter]);
    }
    let mut sum = Counts { passed: 0, failed: 0 };
    let succeeded = process::lines(&mut cargo, |line| {
        report.hear(line);
        if let Some(counts) = counts_in(line) {
            sum.passed += counts.passed;
            sum.failed += counts.failed;
        }
        if is_worth_reading(line) {
            println!("{line}");
        }
    })?;
    // A crate that does not compile has no tests to count.
    if !succeeded && sum.failed == 0 {
        sum.failed = 1;
    }
    println!("unit: {} passed, {} failed", sum.passed, sum.failed);
    if succeeded { Ok(()) } else { failed("some unit tests failed") }
}

/// The stores that the Lambda host's own tests run on; they end with this value.
struct Stores {
    child: Child,
    environment: Vec<(String, String)>,
}

impl Stores {
    fn start(stage: &Stage) -> Result<Self> {
        let mut command = process::program(stage.binary("opencode-tests")?);
        command.arg("stores").envs(stage.environment()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().doing("start the stores")?;
        let output = child.stdout.take().map(BufReader::new);
        let mut environment = Vec::new();
        for line in output.into_iter().flat_map(BufReader::lines) {
            let line = line.doing("read where the stores are")?;
            match line.split_once('=') {
                Some((name, value)) => environment.push((name.to_owned(), value.to_owned())),
                None if line.is_empty() => return Ok(Self { child, environment }),
                None => println!("{line}"),
            }
        }
        let _ = child.wait();
        failed("DynamoDB Local or ElasticMQ did not start")
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        // Their standard input ends, and with it they do.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// The counts in a line like `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
fn counts_in(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut parts = counts.split("; ");
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some(Counts { passed, failed })
}

/// Passing tests and empty binaries say nothing that the sum does not.
fn is_worth_reading(line: &str) -> bool {
    let passing = line.starts_with("test ") && line.ends_with("... ok");
    let summary = line.starts_with("test result: ok") || line.starts_with("running ");
    !passing && !summary && !line.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_is_read_and_no_other() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(counts_in(line), Some(Counts { passed: 12, failed: 3 }));
        assert_eq!(counts_in("test result_of_a_test ... ok"), None);
    }

    #[test]
    fn failures_are_shown() {
        assert!(is_worth_reading("test a::b ... FAILED"));
        assert!(!is_worth_reading("test a::b ... ok"));
    }
}
