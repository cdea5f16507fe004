//! Checks what is deployed, without an account and without a network.

use std::path::Path;

use crate::artefacts::{self, LAMBDA_TOOLS, WORKER_TOOLS};
use crate::failure::{Result, failed};
use crate::process;
use crate::size::{LAMBDA_BOUND, WASM_BOUND, gzipped, plain};
use crate::tools::{Tools, set_up};

/// Builds the release artefacts and checks them with the deploy files.
pub fn check() -> Result<()> {
    let tools = set_up(&[WORKER_TOOLS.as_slice(), &LAMBDA_TOOLS].concat())?;
    let worker = artefacts::worker(&tools);
    let lambda = artefacts::lambda(&tools);
    checks(&tools, worker.as_deref(), lambda.as_deref())
}

/// Runs every check, also after one has failed. An artefact that could not be built is a failed check.
pub fn checks<E: std::fmt::Debug>(
    tools: &Tools,
    worker: std::result::Result<&Path, E>,
    lambda: std::result::Result<&Path, E>,
) -> Result<()> {
    let mut tally = Tally::default();
    tally.count("wrangler deploy --dry-run", built(worker.is_ok()));
    tally.count("sam validate --lint", validate(tools));
    tally.count("sam build", built(lambda.is_ok()));
    let wasm = worker.ok().map(|folder| folder.join("index_bg.wasm"));
    tally.count("Worker, gzipped", within(wasm.as_deref().map(gzipped), WASM_BOUND));
    tally.count("Lambda binary", within(lambda.ok().map(plain), LAMBDA_BOUND));
    println!("deploy-check: {} passed, {} failed", tally.passed, tally.failed);
    if tally.failed == 0 { Ok(()) } else { failed("deploy-check found faults") }
}

/// Each artefact was built by the tool that deploys it: that was the check.
fn built(succeeded: bool) -> Result<()> {
    if succeeded { Ok(()) } else { failed("it failed, see above") }
}

fn validate(tools: &Tools) -> Result<()> {
    process::run(artefacts::sam(tools)?.args(["validate", "--lint", "--template-file", "template.yaml"]))
}

fn within(size: Option<Result<u64>>, bound: u64) -> Result<()> {
    let size = size.unwrap_or_else(|| failed("it was not built"))?;
    let kilobytes = |bytes: u64| bytes.div_ceil(1000);
    println!("deploy-check: {} kB of at most {} kB", kilobytes(size), kilobytes(bound));
    if size <= bound { Ok(()) } else { failed("it is larger than its bound") }
}

#[derive(Default)]
struct Tally {
    passed: u32,
    failed: u32,
}

impl Tally {
    fn count(&mut self, what: &str, outcome: Result<()>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("deploy-check: {what}: ok");
            }
            Err(failure) => {
                self.failed += 1;
                println!("deploy-check: {what}: FAILED: {}", failure.why());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_at_its_bound_passes_and_one_above_or_unknown_does_not() {
        assert!(within(Some(Ok(10)), 10).is_ok());
        assert!(within(Some(Ok(11)), 10).is_err());
        assert!(within(None, 10).is_err());
    }

    #[test]
    fn a_tally_counts_both_ways() {
        let mut tally = Tally::default();
        tally.count("good", Ok(()));
        tally.count("bad", failed("it is bad"));
        assert_eq!((tally.passed, tally.failed), (1, 1));
    }
}
