//! How each tool is installed: by its registry's ordinary client, from lists with fixed versions.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Result};
use crate::{process, workspace};

const COMPONENTS: [&str; 2] = ["rustfmt", "clippy"];
const WASM: &str = "wasm32-unknown-unknown";

/// Whether rustfmt, clippy and the wasm target are there.
pub fn rust_is_complete() -> bool {
    let tool = |name: &str| process::output(process::cargo().args([name, "--version"])).is_some();
    tool("fmt") && tool("clippy") && has_wasm()
}

/// Asks rustup for what the toolchain lacks.
pub fn rust() -> Result<()> {
    println!("tools: adding {} and {WASM} to the Rust toolchain", COMPONENTS.join(", "));
    process::run(process::program("rustup").args(["component", "add"]).args(COMPONENTS))?;
    process::run(process::program("rustup").args(["target", "add", WASM]))
}

/// The versions and checksums of the lock file. Not `npm ci`: that refuses the lock file when a mirror lacks some other
/// platform's optional package. Install scripts download programs that the packages already carry: none runs.
/// `list` is the folder of the package's files.
pub fn npm(to: &Path, list: &str) -> Result<()> {
    for file in ["package.json", "package-lock.json"] {
        fs::copy(lists().join(list).join(file), to.join(file)).doing(format!("copy {file}"))?;
    }
    let options = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    process::run(process::program("npm").args(options).current_dir(to))
}

/// An environment of its own, with every package's version fixed.
pub fn python(to: &Path, list: &str) -> Result<()> {
    process::run(process::program("python3").args(["-m", "venv"]).arg(to))?;
    let list = lists().join(list);
    let options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"];
    process::run(process::program(to.join("bin/python")).args(options).arg(list))
}

/// The SDKs: npm's in `node_modules`, PyPI's and schemathesis in the environment `python`.
pub fn clients(to: &Path) -> Result<()> {
    npm(to, "clients")?;
    python(&to.join("python"), "clients/requirements.txt")
}

/// The servers' jars and native libraries in one folder.
pub fn java(to: &Path) -> Result<()> {
    let mut maven = process::program("mvn");
    maven
        .args(["-q", "-B", "-Dstyle.color=never", "-f"])
        .arg(lists().join("pom.xml"))
        .arg("dependency:copy-dependencies");
    maven.arg(format!("-DoutputDirectory={}", to.join("lib").display()));
    process::run(&mut maven)
}

/// A program from the crates registry, compiled quickly rather than well: it runs for seconds.
pub fn crate_binary(name: &str, version: &str, to: &Path) -> Result<()> {
    let target = to.join("target");
    let install = |locked: bool| {
        let mut cargo = process::cargo();
        cargo.args(["install", "--quiet", name, "--version", version, "--root"]).arg(to).current_dir(to);
        cargo.env("CARGO_TARGET_DIR", &target).env("CARGO_INCREMENTAL", "0");
        let profile = [
            ("LTO", "off"),
            ("OPT_LEVEL", "1"),
            ("CODEGEN_UNITS", "16"),
            ("DEBUG", "0"),
            ("STRIP", "symbols"),
        ];
        for (key, value) in profile {
            cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
        }
        if locked {
            cargo.arg("--locked");
        }
        process::run(&mut cargo)
    };
    // A lock file may name a version that a registry's mirror does not have yet.
    install(true).or_else(|_| {
        println!("tools: {name} cannot be built with its own lock file here; building it without");
        install(false)
    })?;
    fs::remove_dir_all(&target).doing(format!("remove what building {name} left"))
}

fn has_wasm() -> bool {
    process::output(process::program("rustc").args(["--print", "target-libdir", "--target", WASM]))
        .is_some_and(|path| {
            let library = fs::read_dir(path.trim());
            library.is_ok_and(|files| {
                files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore"))
            })
        })
}

fn lists() -> PathBuf {
    workspace::root().join("crates/xtask/tools")
}
