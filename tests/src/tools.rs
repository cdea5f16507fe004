//! Where tools and artefacts are: `cargo xtask test` says so in the environment.

use std::path::PathBuf;

/// The node binary.
pub const NODE: &str = "OPENCODE_TOOLS_NODE";
/// Wrangler's JavaScript entry.
pub const WRANGLER: &str = "OPENCODE_TOOLS_WRANGLER";
/// The workerd binary.
pub const WORKERD: &str = "OPENCODE_TOOLS_WORKERD";
/// The folder with the jars and native libraries of DynamoDB Local and ElasticMQ.
pub const JAVA_LIB: &str = "OPENCODE_TOOLS_JAVA_LIB";
/// The cargo-lambda binary.
pub const CARGO_LAMBDA: &str = "OPENCODE_TOOLS_CARGO_LAMBDA";
/// The folder whose `node_modules` holds the SDKs.
pub const CLIENTS_NODE: &str = "OPENCODE_CLIENTS_NODE";
/// The Python that knows the SDK, beside schemathesis.
pub const CLIENTS_PYTHON: &str = "OPENCODE_CLIENTS_PYTHON";
/// The platform's own binary.
pub const NATIVE_BIN: &str = "OPENCODE_NATIVE_BIN";
/// The Lambda bootstrap.
pub const LAMBDA_BIN: &str = "OPENCODE_LAMBDA_BIN";
/// The bootstrap of the sandbox's function.
pub const SANDBOX_BIN: &str = "OPENCODE_SANDBOX_BIN";
/// The folder of Python's packages that the sandbox's image has.
pub const SANDBOX_PACKAGES: &str = "OPENCODE_SANDBOX_TEST_PACKAGES";
/// The folder of esbuild's program.
pub const SANDBOX_ESBUILD: &str = "OPENCODE_SANDBOX_TEST_ESBUILD";
/// The Worker's bundle.
pub const WORKER_DIR: &str = "OPENCODE_WORKER_DIR";
/// The Worker's bundle with the `probe` feature.
pub const WORKER_PROBE_DIR: &str = "OPENCODE_WORKER_PROBE_DIR";

/// The path in an environment variable; the error names what is missing.
pub fn path(name: &str) -> Result<PathBuf, String> {
    let value = std::env::var_os(name).ok_or_else(|| format!("{name} is not set: run `cargo xtask test`"))?;
    let path = PathBuf::from(value);
    if !path.exists() {
        return Err(format!("{name} names {}, which does not exist", path.display()));
    }
    Ok(path)
}
