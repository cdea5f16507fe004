//! Checks what is deployed, without an account and without a network.

use std::fs;
use std::path::Path;

use crate::artefacts::{self, LAMBDA_TOOLS, WORKER_TOOLS};
use crate::failure::{Doing, Result, failed};
use crate::size::{LAMBDA_BOUND, WASM_BOUND, gzipped, plain};
use crate::tools::{Tools, set_up};
use crate::{process, workspace};

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
    tally.count("the sandbox's image and function", sandbox());
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

/// What must stand in the sandbox's Dockerfile and its part of the template, which no linter knows of. The image itself
/// is built where there is a builder for images.
fn sandbox() -> Result<()> {
    let read = |file: &str| fs::read_to_string(workspace::root().join(file)).doing(format!("read {file}"));
    let (image, template) = (read(IMAGE)?, read("template.yaml")?);
    for source in sources(&image) {
        if !workspace::root().join(source).exists() {
            return failed(format!("{IMAGE} copies {source}, which is not there"));
        }
    }
    if let Some(lacks) = missing(&image, &IMAGE_HAS) {
        return failed(format!("{IMAGE} does not say {lacks:?}"));
    }
    let function = section(&template, "  SandboxFunction:");
    if let Some(lacks) = missing(function, &FUNCTION_HAS) {
        return failed(format!("template.yaml does not say {lacks:?} of SandboxFunction"));
    }
    let role = section(&template, "  SandboxRole:");
    if let Some(lacks) = missing(role, &["Effect: Deny", "lambda:SourceFunctionArn"]) {
        return failed(format!("template.yaml does not say {lacks:?} of SandboxRole"));
    }
    if role.contains("logs:") || function.contains("AWS::Serverless::Function") {
        return failed("the sandbox has more than it needs: logs, or the globals with their secrets");
    }
    Ok(())
}

const IMAGE: &str = "crates/sandbox/Dockerfile";
/// A bootstrap that cannot be read, a user without power, nothing that gives more of it.
const IMAGE_HAS: [&str; 4] =
    ["--chmod=0111 /bootstrap", "-perm /6000", "USER 65534", "ENTRYPOINT [\"/bootstrap\"]"];
/// The longest run and 3 s; a network that leads nowhere; tenants apart, or an end after every run.
const FUNCTION_HAS: [&str; 6] = [
    "PackageType: Image",
    "Timeout: 303\n",
    "VpcConfig:",
    "PER_TENANT",
    "never, always",
    "OPENCODE_SANDBOX_SEAL",
];

fn missing<'a>(text: &str, needed: &[&'a str]) -> Option<&'a str> {
    needed.iter().find(|needed| !text.contains(**needed)).copied()
}

/// What a Dockerfile copies from the checkout.
fn sources(image: &str) -> impl Iterator<Item = &str> {
    let copies = image.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from="));
    copies.flat_map(|line| {
        let words: Vec<_> = line.split(' ').skip(1).filter(|word| !word.starts_with("--")).collect();
        words.split_last().map(|(_, sources)| sources.to_vec()).unwrap_or_default()
    })
}

/// A resource of the template, up to the next one.
fn section<'a>(template: &'a str, name: &str) -> &'a str {
    let Some((_, rest)) = template.split_once(&format!("\n{name}\n")) else { return "" };
    let next = |line: &str| line.starts_with("  ") && !line.starts_with("   ");
    let length: usize = rest.split_inclusive('\n').take_while(|line| !next(line)).map(str::len).sum();
    rest.get(..length).unwrap_or(rest)
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
    fn what_the_sandbox_needs_is_said() {
        sandbox().unwrap();
        let image = "COPY a /b\nCOPY --chmod=0111 c d /e\nCOPY --from=x /f /g\n";
        assert_eq!(sources(image).collect::<Vec<_>>(), ["a", "c", "d"]);
        assert_eq!(section("x:\n  A:\n    b: 1\n\n  C:\n    d: 2\n", "  A:"), "    b: 1\n\n");
        assert_eq!(section("x:\n  A:\n    b: 1\n", "  A:"), "    b: 1\n");
    }

    #[test]
    fn a_tally_counts_both_ways() {
        let mut tally = Tally::default();
        tally.count("good", Ok(()));
        tally.count("bad", failed("it is bad"));
        assert_eq!((tally.passed, tally.failed), (1, 1));
    }
}
