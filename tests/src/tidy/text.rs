//! What holds for every file.

use super::Findings;
use super::repository::Repository;
use super::source::numbered;

/// The longest Rust file, in lines.
const LONGEST: usize = 500;
/// Half of the Rust files are shorter than this, in lines.
const MEDIAN: usize = 200;

/// Folders of somebody's machine, cut in two so that this file passes.
const FOLDERS: [&str; 6] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/tm", "p/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/op", "t/"),
];

/// What names the folders of an image, of a Lambda function, or those that an attack tries.
const ELSEWHERE: [&str; 3] = ["crates/sandbox/", "tests/sandbox/", "tests/src/sandbox/"];

/// Hosts that package clients are set up for elsewhere, cut in two as well.
const REGISTRIES: [&str; 9] = [
    concat!("crates", ".io"),
    concat!("static.", "rust-lang.org"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("npm", "js.org"),
    concat!("npm", "js.com"),
    concat!("repo", ".maven"),
    concat!("repo1", ".maven"),
    concat!("deb.", "debian.org"),
];

/// Structure's bound.
pub fn files_are_short(repository: &Repository) -> Findings {
    let lengths: Vec<(String, usize)> =
        repository.rust("").into_iter().map(|(file, text)| (file, text.lines().count())).collect();
    too_long(&lengths)
}

/// A checkout builds anywhere, and says nothing about where it was made.
pub fn no_machine_is_named(repository: &Repository) -> Findings {
    let locks = ["Cargo.lock", "package-lock.json"];
    let files = repository.files().filter(|file| !locks.iter().any(|lock| file.ends_with(lock)));
    files.flat_map(|file| machines(file, &repository.text(file))).collect()
}

/// A flag for everything would change every crate's meaning behind its back.
pub fn no_workspace_flags(repository: &Repository) -> Findings {
    let file = ".cargo/config.toml";
    flags(file, &repository.text(file))
}

fn too_long(lengths: &[(String, usize)]) -> Findings {
    let long = lengths.iter().filter(|(_, lines)| *lines > LONGEST);
    let mut findings: Findings = long.map(|(file, lines)| format!("{file} has {lines} lines")).collect();
    let mut sorted: Vec<usize> = lengths.iter().map(|(_, lines)| *lines).collect();
    sorted.sort_unstable();
    match sorted.get(sorted.len() / 2) {
        Some(median) if *median < MEDIAN => {}
        Some(median) => findings.push(format!("the median file has {median} lines")),
        None => findings.push("there is no Rust file".to_owned()),
    }
    findings
}

fn machines(file: &str, text: &str) -> Findings {
    let elsewhere = ELSEWHERE.iter().any(|folder| file.starts_with(folder));
    let named = |line: &str| {
        let folder = FOLDERS
            .iter()
            .filter(|_| !elsewhere)
            .find(|folder| line.match_indices(**folder).any(|(at, _)| begins_a_path(&line[..at])));
        let registry = REGISTRIES.iter().find(|registry| line.contains(**registry));
        folder.or(registry).copied()
    };
    numbered(text).filter_map(|(number, line)| Some(format!("{file}:{number}: {}", named(line)?))).collect()
}

/// Whether a slash after this begins an absolute path, rather than going on with a relative one or a URL.
fn begins_a_path(before: &str) -> bool {
    !before.chars().last().is_some_and(|c| c.is_alphanumeric() || "_.-*)}>".contains(c))
}

fn flags(file: &str, text: &str) -> Findings {
    let set = |line: &&str| !line.trim_start().starts_with('#') && line.to_lowercase().contains("rustflags");
    text.lines().filter(set).map(|line| format!("{file}: {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(lines: &[usize]) -> Vec<(String, usize)> {
        lines.iter().map(|lines| ("f.rs".to_owned(), *lines)).collect()
    }

    #[test]
    fn long_files_and_a_high_median_are_found() {
        assert_eq!(too_long(&lengths(&[10, 20, 500])), Findings::new());
        assert_eq!(too_long(&lengths(&[10, 20, 501])).len(), 1);
        assert_eq!(too_long(&lengths(&[10, 200, 300])).len(), 1);
        assert_eq!(too_long(&[]).len(), 1);
    }

    #[test]
    fn machines_are_found_and_relative_paths_are_not() {
        for folder in FOLDERS {
            assert_eq!(machines("f", &format!("see {folder}x")).len(), 1, "{folder}");
        }
        for registry in REGISTRIES {
            assert_eq!(machines("f", &format!("https://{registry}/x")).len(), 1, "{registry}");
        }
        assert_eq!(machines("f", concat!("crates/core/src/wo", "rk/queue.rs")), Findings::new());
    }

    #[test]
    fn flags_are_found() {
        assert_eq!(flags("f", "[build]\nrustflags = [\"-Ctarget-cpu=native\"]").len(), 1);
        assert_eq!(flags("f", "# no rustflags here\n[alias]\nxtask = \"run\""), Findings::new());
    }
}
