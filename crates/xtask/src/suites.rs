//! `cargo xtask test`: sets up, builds once what the chosen suites need, runs them all, says how long each took.

mod report;
mod stage;
mod unit;

use crate::failure::{Failure, Result, failed};
use crate::times::Times;
use crate::{deploy, process};
use report::Report;
use stage::Stage;

/// A suite. Those between `Unit` and `DeployCheck` are run by the binary of the tests' package.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suite {
    /// `cargo test` of all members.
    Unit,
    /// The design's invariants.
    Tidy,
    /// Dialects as written down, replayed.
    Golden,
    /// Recorded streams of providers, replayed.
    Captures,
    /// What fuzzing found, replayed, and the bounds of what comes from outside.
    Fuzz,
    /// Seeded calls over providers that lie, on virtual time.
    Sim,
    /// The same random operations on every store.
    Ports,
    /// One black-box suite against every host.
    Hosts,
    /// Every fault of an upstream, in every dialect, on every host.
    Faults,
    /// The configuration while it changes, on every host.
    Config,
    /// The release binary in an empty folder, with the model that it serves.
    Model,
    /// The official SDKs against every host.
    Clients,
    /// `/openapi.json` against the native host.
    Contract,
    /// Hostile code under every barrier, under Lambda's, and under none.
    Sandbox,
    /// The deploy files and the artefacts' sizes.
    DeployCheck,
}

/// All suites, in the order they run.
const ALL: [(Suite, &str); 15] = [
    (Suite::Unit, "unit"),
    (Suite::Tidy, "tidy"),
    (Suite::Golden, "golden"),
    (Suite::Captures, "captures"),
    (Suite::Fuzz, "fuzz"),
    (Suite::Sim, "sim"),
    (Suite::Ports, "ports"),
    (Suite::Hosts, "hosts"),
    (Suite::Faults, "faults"),
    (Suite::Config, "config"),
    (Suite::Model, "model"),
    (Suite::Clients, "clients"),
    (Suite::Contract, "contract"),
    (Suite::Sandbox, "sandbox"),
    (Suite::DeployCheck, "deploy-check"),
];

/// Runs the named suites, or all; only those tests whose name contains `filter`.
pub fn test(names: &[String], filter: Option<&str>) -> Result<()> {
    let suites = chosen(names)?;
    let mut times = Times::new();
    let mut reports = Vec::new();
    let outcome = run(&suites, filter, &mut times, &mut reports);
    times.print();
    for (suite, report) in reports.iter().filter(|(_, report)| !report.lines().is_empty()) {
        println!("--- what failed in {}", name(*suite));
        report.lines().iter().for_each(|line| println!("{line}"));
    }
    let failures = outcome?;
    if failures.is_empty() {
        println!("all suites passed: {}", list(&suites));
        Ok(())
    } else {
        failed(format!("suites failed: {}", list(&failures)))
    }
}

fn run(
    suites: &[Suite],
    filter: Option<&str>,
    times: &mut Times,
    reports: &mut Vec<(Suite, Report)>,
) -> Result<Vec<Suite>> {
    let stage = Stage::set(suites, times)?;
    let mut failures = Vec::new();
    for suite in suites {
        let mut report = Report::default();
        let outcome = times.lap(name(*suite), || match suite {
            Suite::Unit => unit::run(&stage, filter, &mut report),
            Suite::DeployCheck => deploy::checks(&stage.tools, stage.worker(), stage.lambda()),
            other => in_tests_binary(&stage, name(*other), filter, &mut report),
        });
        reports.push((*suite, report));
        if let Err(failure) = outcome {
            println!("{}: {}", name(*suite), failure.why());
            failures.push(*suite);
        }
    }
    Ok(failures)
}

fn in_tests_binary(stage: &Stage, suite: &str, filter: Option<&str>, report: &mut Report) -> Result<()> {
    let mut tests = process::program(stage.binary("opencode-tests")?);
    tests.arg(suite).args(filter).envs(stage.environment());
    crate::artefacts::offline(&mut tests);
    let succeeded = process::lines(&mut tests, |line| {
        println!("{line}");
        report.hear(line);
    })?;
    if succeeded { Ok(()) } else { failed(format!("some of {suite} failed")) }
}

fn chosen(names: &[String]) -> Result<Vec<Suite>> {
    let known: Vec<&str> = ALL.iter().map(|(_, name)| *name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Failure::Missing(format!(
            "no suite is called {unknown:?}: there are {}",
            known.join(", ")
        )));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|given| given == name);
    Ok(ALL.iter().filter(|(_, name)| wanted(name)).map(|(suite, _)| *suite).collect())
}

fn name(suite: Suite) -> &'static str {
    ALL.iter().find(|(other, _)| *other == suite).map_or("?", |(_, name)| name)
}

fn list(suites: &[Suite]) -> String {
    suites.iter().map(|suite| name(*suite)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_run_in_their_order_and_an_unknown_one_is_refused() {
        let named = |names: &[&str]| chosen(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(named(&["hosts", "unit"]).unwrap(), [Suite::Unit, Suite::Hosts]);
        assert_eq!(named(&[]).unwrap().len(), ALL.len());
        assert!(matches!(named(&["host"]), Err(Failure::Missing(_))));
    }
}
