//! What `/openapi.json` promises, held against a running native host by schemathesis: generated requests, good and
//! bad, and what may come back for each. One trial an operation.

mod report;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use self::report::Report;
use crate::hosts::platform::{Kind, Platform};
use crate::suite::{self, RUNTIME};
use crate::tools;
use crate::wall::Wall;

/// Requests generated for each operation, at most.
const EXAMPLES: &str = "15";
/// Makes every run the same.
const SEED: &str = "1";
/// The longest that one run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Operations that are served, or only planned.
#[derive(Clone, Copy)]
struct Part {
    name: &'static str,
    /// Which option of schemathesis takes the expression below.
    filter: &'static str,
    checks: &'static str,
}

/// Chooses the planned operations.
const PLANNED: &str = r#"/x-status == "planned""#;

const PARTS: [Part; 2] = [
    Part {
        name: "served",
        filter: "--exclude-by",
        checks: "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                 response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,\
                 ignored_auth",
    },
    // These answer 501, and nothing but that and refusals.
    Part {
        name: "planned",
        filter: "--include-by",
        checks: "status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth",
    },
];

/// Runs the suite.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let trials = RUNTIME
        .block_on(trials(folder.path()))
        .unwrap_or_else(|error| vec![Trial::test("/openapi.json", move || Err(error.into()))]);
    let passed = suite::run("contract", arguments, trials);
    if !passed {
        suite::say(&format!("what schemathesis said is in {}", folder.keep().display()));
    }
    Ok(passed)
}

async fn trials(folder: &Path) -> Result<Vec<Trial>, String> {
    let wall = Wall::start().await?;
    let platform = Platform::start(Kind::Native, &wall.url, &folder.join("native")).await?;
    let document = document(&platform).await?;
    let mut trials = Vec::new();
    for part in PARTS {
        let operations = report::operations(&document, part.name == "planned");
        if operations.is_empty() {
            continue;
        }
        let report = schemathesis(&platform, &document, part, folder).await?;
        trials.push(trial(format!("{}: the run is whole", part.name), report.whole(operations.len())));
        for operation in operations {
            let outcome = report.of(&operation);
            trials.push(trial(format!("{}: {operation}", part.name), outcome));
        }
    }
    Ok(trials)
}

/// A trial of what is known already.
fn trial(name: String, outcome: Result<(), String>) -> Trial {
    Trial::test(name, move || Ok(outcome?))
}

async fn document(platform: &Platform) -> Result<Value, String> {
    let mut answer = platform.get("/openapi.json").send().await?;
    if answer.status != 200 {
        let status = answer.status;
        return Err(format!("/openapi.json answers {status}: {}", answer.text().await?));
    }
    let document = answer.json().await?;
    let version = document["openapi"].as_str().unwrap_or_default();
    if !version.starts_with("3.1") {
        return Err(format!("/openapi.json is not OpenAPI 3.1 but {version:?}"));
    }
    Ok(document)
}

/// The document is handed over as a file: of one that it fetches itself, schemathesis leaves the document's own route
/// out.
async fn schemathesis(
    platform: &Platform,
    document: &Value,
    part: Part,
    folder: &Path,
) -> Result<Report, String> {
    let program = tools::path(tools::CLIENTS_PYTHON)?.with_file_name("schemathesis");
    let report = folder.join(format!("{}.json", part.name));
    let mut command = Command::new(program);
    let file = folder.join("openapi.json");
    std::fs::write(&file, document.to_string()).map_err(|error| error.to_string())?;
    command.args(["--no-color", "run"]).arg(&file).args(["--url", &platform.base_url]);
    command.args(["--header", &format!("Authorization: Bearer {}", platform.keys.operator)]);
    command.args([part.filter, PLANNED, "--checks", part.checks, "--phases", "examples,coverage,fuzzing"]);
    command.args([
        "--seed",
        SEED,
        "--max-examples",
        EXAMPLES,
        "--generation-database",
        "none",
        "--workers",
        "1",
    ]);
    command.args([
        "--request-timeout",
        "20",
        "--continue-on-failure",
        "--report",
        "json",
        "--report-json-path",
    ]);
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/contract_hooks.py");
    command.env("SCHEMATHESIS_HOOKS", hooks).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(&report).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let ended = timeout(LIMIT, command.output()).await;
    let output = ended
        .map_err(|_| format!("schemathesis took longer than {} s for {}", LIMIT.as_secs(), part.name))?
        .map_err(|error| format!("schemathesis: {error}"))?;
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let _ = std::fs::write(folder.join(format!("{}.txt", part.name)), &said);
    let text =
        std::fs::read_to_string(&report).map_err(|_| format!("schemathesis made no report:\n{said}"))?;
    Report::read(&text, said)
}
