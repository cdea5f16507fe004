//! Other gateways, each in a folder of the tools' cache, at fixed versions. None is needed: one that cannot be
//! installed is named as missing.

use std::path::PathBuf;

use crate::failure::Result;
use crate::tools::{
    folder::{Folder, digest},
    install,
};
use crate::workspace;

/// A gateway that comes from a package registry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rival {
    /// From PyPI.
    TensorZero,
    /// From npm.
    Portkey,
    /// From PyPI, about 750 MB.
    LiteLlm,
}

/// All of them.
pub const ALL: [Rival; 3] = [Rival::TensorZero, Rival::Portkey, Rival::LiteLlm];

const TENSORZERO: &str = include_str!("../../tools/bench/tensorzero.txt");
const LITELLM: &str = include_str!("../../tools/bench/litellm.txt");
const PORTKEY: &str = include_str!("../../tools/bench/portkey/package-lock.json");
const PORTKEY_LIST: &str = include_str!("../../tools/bench/portkey/package.json");

impl Rival {
    /// In `--only` and in names of folders.
    pub fn key(self) -> &'static str {
        match self {
            Self::TensorZero => "tensorzero",
            Self::Portkey => "portkey",
            Self::LiteLlm => "litellm",
        }
    }

    /// Its folder, filled if it is not there yet.
    pub fn folder(self) -> Result<PathBuf> {
        let packages = match self {
            Self::TensorZero => TENSORZERO,
            Self::Portkey => PORTKEY,
            Self::LiteLlm => LITELLM,
        };
        let name = format!("bench-{}-{}", self.key(), digest(packages));
        let cache = workspace::tools()?;
        let folder = Folder::new(&cache, &name);
        if !folder.is_complete() {
            folder.fill(|to| match self {
                Self::TensorZero => install::python(to, "bench/tensorzero.txt"),
                Self::Portkey => install::npm(to, "bench/portkey"),
                Self::LiteLlm => install::python(to, "bench/litellm.txt"),
            })?;
        }
        Ok(cache.join(name))
    }

    /// The version in its list.
    pub fn version(self) -> String {
        let of = |list: &str, before: &str, after: char| {
            let rest = list.split_once(before).map_or("", |(_, rest)| rest);
            rest.split(after).next().unwrap_or_default().trim().to_owned()
        };
        match self {
            Self::TensorZero => of(TENSORZERO, "tensorzero==", '\n'),
            Self::Portkey => of(PORTKEY_LIST, "\"@portkey-ai/gateway\": \"", '"'),
            Self::LiteLlm => of(LITELLM, "\nlitellm==", '\n'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_version_is_found_in_its_list() {
        for rival in ALL {
            assert!(rival.version().starts_with(|first: char| first.is_ascii_digit()), "{rival:?}");
        }
    }
}
