//! How each tool is installed: by its registry's ordinary client, from lists with fixed versions.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Result, failed};
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

/// Where a sandbox finds Python: a version manager's own lies in its owner's home, which no other user may enter.
const PYTHONS: [&str; 2] = ["/usr/local/bin/python3", "/usr/bin/python3"];

/// Packages in the plain folder `packages`, for the Python that a sandbox finds; brought by an environment's pip, since
/// that Python may have none.
pub fn packages(to: &Path, list: &str) -> Result<()> {
    let python = PYTHONS.into_iter().find(|path| Path::new(path).exists()).unwrap_or("python3");
    let ask = ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"];
    let version = process::output(process::program(python).args(ask)).unwrap_or_default();
    process::run(process::program("python3").args(["-m", "venv"]).arg(to.join("pip")))?;
    let mut pip = process::program(to.join("pip/bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--only-binary=:all:", "--python-version", version.trim(), "--target"])
        .arg(to.join("packages"));
    process::run(pip.arg("-r").arg(lists().join(list)))
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
    let from = ["--version", version, name];
    // A lock file may name a version that a registry's mirror does not have yet.
    compile(&from, true, to).or_else(|_| {
        println!("tools: {name} cannot be built with its own lock file here; building it without");
        compile(&from, false, to)
    })
}

/// `worker-build` with TLS in Rust. As it is published it needs OpenSSL's headers, which a machine with the stated
/// prerequisites has not; it uses TLS to download what our build brings along, so never.
pub fn worker_build(version: &str, to: &Path) -> Result<()> {
    let source = to.join("source");
    crate_source("worker-build", version, &source)?;
    for (file, from, by) in [
        ("Cargo.toml", "\"native-tls\"", "\"rustls\""),
        ("src/binary.rs", "TlsProvider::NativeTls", "TlsProvider::Rustls"),
    ] {
        let file = source.join(file);
        let text = fs::read_to_string(&file).doing(format!("read {}", file.display()))?;
        fs::write(&file, text.replace(from, by)).doing(format!("write {}", file.display()))?;
    }
    compile(&["--path".as_ref(), source.as_os_str()], false, to)?;
    fs::remove_dir_all(&source).doing("remove the source of worker-build")
}

fn compile<S: AsRef<OsStr>>(from: &[S], locked: bool, to: &Path) -> Result<()> {
    let target = to.join("target");
    let mut cargo = process::cargo();
    cargo.args(["install", "--quiet", "--root"]).arg(to).args(from).current_dir(to);
    cargo.env("CARGO_TARGET_DIR", &target).env("CARGO_INCREMENTAL", "0");
    let profile =
        [("LTO", "off"), ("OPT_LEVEL", "1"), ("CODEGEN_UNITS", "16"), ("DEBUG", "0"), ("STRIP", "symbols")];
    for (key, value) in profile {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    cargo.args(locked.then_some("--locked"));
    process::run(&mut cargo)?;
    fs::remove_dir_all(&target).doing("remove what the build left")
}

/// The source of a crate, by a package that depends on it: cargo has no other way to ask for one.
fn crate_source(name: &str, version: &str, to: &Path) -> Result<()> {
    let asks = to.join("asks");
    fs::create_dir_all(asks.join("src")).doing("make a folder for a package")?;
    let manifest = format!(
        "[package]\nname = \"asks\"\nedition = \"2024\"\n[dependencies]\n{name} = \"={version}\"\n[workspace]\n"
    );
    fs::write(asks.join("Cargo.toml"), manifest).doing("write a package")?;
    fs::write(asks.join("src/lib.rs"), "").doing("write a package")?;
    process::run(process::cargo().args(["fetch", "--quiet"]).current_dir(&asks))?;
    fs::remove_dir_all(&asks).doing("remove a package")?;
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).unwrap_or_default();
    let registries = fs::read_dir(home.join("registry/src")).doing("look for what cargo has fetched")?;
    let found =
        registries.flatten().map(|it| it.path().join(format!("{name}-{version}"))).find(|it| it.is_dir());
    match found {
        Some(found) => copy(&found, to),
        None => failed(format!("cargo has fetched no source of {name} {version}")),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).doing(format!("make {}", to.display()))?;
    for entry in fs::read_dir(from).doing(format!("read {}", from.display()))?.flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to).doing(format!("copy {}", from.display()))?;
        }
    }
    Ok(())
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
