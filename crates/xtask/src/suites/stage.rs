//! What the suites find ready: tools and artefacts, each built once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Suite;
use crate::artefacts::{self, LAMBDA_TOOLS, WORKER_TOOLS};
use crate::failure::{Failure, Result, failed};
use crate::times::Times;
use crate::tools::{Tool, Tools, set_up};
use crate::workspace;

/// The tools and artefacts of the chosen suites. An artefact that cannot be built fails the suites that need it, and
/// no other.
pub struct Stage {
    /// The tools.
    pub tools: Tools,
    binaries: Result<PathBuf>,
    worker: Result<PathBuf>,
    probe: Result<PathBuf>,
    lambda: Result<PathBuf>,
    native: Result<PathBuf>,
}

impl Stage {
    /// Sets up and builds what `suites` need.
    pub fn set(suites: &[Suite], times: &mut Times) -> Result<Self> {
        let needs = |some: &[Suite]| suites.iter().any(|suite| some.contains(suite));
        let runs_binary = suites.iter().any(|suite| *suite != Suite::DeployCheck);
        let release =
            needs(&[Suite::Hosts, Suite::Faults, Suite::Config, Suite::Clients, Suite::DeployCheck]);
        let clients = needs(&[Suite::Model, Suite::Clients, Suite::Contract]);
        let probe = needs(&[Suite::Ports]);
        let sandbox = needs(&[Suite::Sandbox]);
        let mut wanted = tools_for(release, probe, needs(&[Suite::Unit]), clients);
        if sandbox {
            wanted.extend(
                [Tool::Npm, Tool::Sandbox]
                    .into_iter()
                    .filter(|tool| !wanted.contains(tool))
                    .collect::<Vec<_>>(),
            );
        }
        let tools = times.lap("tools", || set_up(&wanted))?;
        let mut build = |wanted: bool, name: &str, build: &dyn Fn() -> Result<PathBuf>| {
            if !wanted {
                return failed("it is not needed");
            }
            let built = times.lap(name, build);
            if let Err(failure) = &built {
                println!("{name}: {}", failure.why());
            }
            built
        };
        let binaries = build(runs_binary, "build: debug binaries", &artefacts::debug_binaries);
        let worker = build(release, "build: Worker", &|| artefacts::worker(&tools));
        let probe = build(probe, "build: Worker with probe", &|| artefacts::probe(&tools));
        let lambda = build(release, "build: Lambda", &|| artefacts::lambda(&tools));
        let native = needs(&[Suite::Model]);
        let native = build(native, "build: native", &artefacts::native_release);
        Ok(Self { tools, binaries, worker, probe, lambda, native })
    }

    /// A debug binary of the workspace.
    pub fn binary(&self, name: &str) -> Result<PathBuf> {
        match &self.binaries {
            Ok(folder) => Ok(folder.join(name)),
            Err(_) => failed("the workspace could not be built, see above"),
        }
    }

    /// The folder of the Worker's release bundle.
    pub fn worker(&self) -> std::result::Result<&Path, &Failure> {
        self.worker.as_deref()
    }

    /// The Lambda binary.
    pub fn lambda(&self) -> std::result::Result<&Path, &Failure> {
        self.lambda.as_deref()
    }

    /// Tells the tests' binary where everything is. What was not built is not named.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let shared = workspace::root().with_file_name("shared");
        let named = [
            ("OPENCODE_TOOLS_NODE", Some(self.tools.node())),
            ("OPENCODE_TOOLS_WRANGLER", Some(self.tools.wrangler())),
            ("OPENCODE_TOOLS_WORKERD", Some(self.tools.workerd())),
            ("OPENCODE_TOOLS_JAVA_LIB", Some(self.tools.java_folder())),
            ("OPENCODE_TOOLS_CARGO_LAMBDA", Some(self.tools.python_folder().join("cargo-lambda"))),
            ("OPENCODE_CLIENTS_NODE", Some(self.tools.clients_folder())),
            ("OPENCODE_CLIENTS_PYTHON", Some(self.tools.clients_python())),
            ("OPENCODE_SANDBOX_BIN", self.binary("opencode-sandbox").ok()),
            ("OPENCODE_SANDBOX_TEST_PACKAGES", Some(self.tools.sandbox_packages())),
            ("OPENCODE_SANDBOX_TEST_ESBUILD", self.tools.esbuild().parent().map(Path::to_owned)),
            ("OPENCODE_NATIVE_BIN", self.binary("opencode").ok()),
            ("OPENCODE_RELEASE_BIN", self.native.as_ref().ok().cloned()),
            ("OPENCODE_LAMBDA_BIN", self.lambda.as_ref().ok().cloned()),
            ("OPENCODE_WORKER_DIR", self.worker.as_ref().ok().cloned()),
            ("OPENCODE_WORKER_PROBE_DIR", self.probe.as_ref().ok().cloned()),
            ("OPENCODE_SHARED", Some(shared)),
        ];
        named
            .into_iter()
            .filter_map(|(name, path)| Some((name, path.filter(|path| path.exists())?.into())))
            .collect()
    }
}

fn tools_for(release: bool, probe: bool, unit: bool, clients: bool) -> Vec<Tool> {
    let mut tools = vec![Tool::Rust];
    if release || probe {
        tools.extend(WORKER_TOOLS);
    }
    if release || probe || unit {
        tools.push(Tool::Java);
    }
    if clients {
        tools.push(Tool::Clients);
    }
    if release {
        tools.extend(LAMBDA_TOOLS);
    }
    tools.dedup();
    tools
}
