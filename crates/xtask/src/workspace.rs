//! Where things lie: the checkout, cargo's target folder, the cache of tools.

use std::env;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Failure, Result};

/// The top of the checkout.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap_or(here)
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The cache of tools, outside the checkout: a fresh clone finds what an older one installed.
pub fn tools() -> Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    cache.map(|folder| folder.join("opencode/tools")).ok_or_else(|| {
        Failure::Missing("set HOME or XDG_CACHE_HOME: tools are kept in a cache folder there".into())
    })
}

/// The version of a package in `Cargo.lock`.
pub fn locked_version(package: &str) -> Result<String> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).doing("read Cargo.lock")?;
    version_in(&lock, package).ok_or_else(|| {
        Failure::Failed(format!("Cargo.lock names no package {package}: does the Worker depend on it?"))
    })
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"').map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn the_version_is_the_one_of_the_whole_name() {
        let lock = "[[package]]\nname = \"worker-macros\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"worker\"\nversion = \"0.8.7\"\n";
        assert_eq!(version_in(lock, "worker").as_deref(), Some("0.8.7"));
        assert_eq!(version_in(lock, "work"), None);
    }
}
