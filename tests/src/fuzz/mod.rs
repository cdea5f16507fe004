//! What fuzzing found, replayed on stable, and the bounds of what comes from outside.

mod bounds;

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

/// Every file of the corpus through its target, and every bound.
pub fn trials() -> Vec<Trial> {
    let mut trials = bounds::trials();
    for (name, target) in opencode_fuzz::TARGETS {
        let inputs = inputs(name);
        assert!(!inputs.is_empty(), "no corpus for {name}");
        for input in inputs {
            let file = input.file_name().unwrap_or_default().to_string_lossy().into_owned();
            trials.push(Trial::test(format!("{name}/{file}"), move || {
                target(&std::fs::read(&input)?);
                Ok(())
            }));
        }
    }
    trials
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut inputs: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    inputs.sort();
    inputs
}
