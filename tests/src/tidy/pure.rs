//! The pure core: where `async` stands, what it never says, what it depends on, that it cannot panic.

use super::Findings;
use super::manifest::{self, Dependency};
use super::repository::Repository;
use super::source::{code, numbered, words};

const SOURCE: &str = "crates/core/src/";

/// The modules that wait.
const ASYNC: [&str; 5] = ["host", "serve", "work", "run", "drive"];

/// Words that would bring the platform, a clock, randomness, threads or hidden allocation of futures into the core.
const IMPURE: [&str; 25] = [
    "target_arch",
    "target_env",
    "target_family",
    "target_feature",
    "target_os",
    "target_pointer_width",
    "unsafe",
    "dyn",
    "async_trait",
    "BoxFuture",
    "LocalBoxFuture",
    "SendWrapper",
    "SystemTime",
    "Instant",
    "tokio",
    "spawn",
    "spawn_local",
    "getrandom",
    "thread_rng",
    "OsRng",
    "wasm_bindgen",
    "js_sys",
    "println",
    "eprintln",
    "static_mut_refs",
];

/// The same, of more than one word. `Send` itself is also the name of a step, so only bounds are looked for.
const IMPURE_PHRASES: [&str; 8] =
    ["+ Send", ": Send", "+ Sync", ": Sync", "std::env", "std::fs", "std::net", "std::thread"];

/// Crates that compile everywhere, read no clock and do no I/O.
const ALLOWED: [&str; 14] = [
    "base64",
    "bytes",
    "futures",
    "hmac",
    "http",
    "httpdate",
    "percent-encoding",
    "serde",
    "serde_json",
    "sha2",
    "strsim",
    "subtle",
    "toml",
    "ulid",
];

/// What its benches may use beside those; no product contains them.
const ALLOWED_FOR_BENCHES: [&str; 2] = ["criterion", "rustix"];

/// What `lib.rs` denies.
const DENIED: [&str; 10] = [
    "unsafe_code",
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::panic",
    "clippy::todo",
    "clippy::unimplemented",
    "clippy::unreachable",
    "clippy::indexing_slicing",
    "clippy::string_slice",
    "clippy::arithmetic_side_effects",
];

/// Invariant 1, for `async`.
pub fn async_is_in_its_place(repository: &Repository) -> Findings {
    repository.rust(SOURCE).iter().flat_map(|(file, text)| misplaced_async(file, text)).collect()
}

/// Invariants 1 and 2.
pub fn is_pure(repository: &Repository) -> Findings {
    repository.rust(SOURCE).iter().flat_map(|(file, text)| impurities(file, text)).collect()
}

/// Invariant 3. Clippy enforces it; this sees that it is asked to.
pub fn may_not_panic(repository: &Repository) -> Findings {
    let mut findings = undenied(&repository.text("crates/core/src/lib.rs"));
    findings.extend(repository.rust(SOURCE).iter().flat_map(|(file, text)| loosened(file, text)));
    findings
}

/// Invariant 1, for the allow-list.
pub fn depends_on_the_allowed(repository: &Repository) -> Findings {
    disallowed(&repository.text("crates/core/Cargo.toml"))
}

fn misplaced_async(file: &str, text: &str) -> Findings {
    let module = file.strip_prefix(SOURCE).unwrap_or(file).split(['/', '.']).next().unwrap_or_default();
    if ASYNC.contains(&module) {
        return Vec::new();
    }
    let code = code(text);
    let lines =
        numbered(&code).filter(|(_, line)| words(line).any(|word| word == "async" || word == "await"));
    lines.map(|(number, _)| format!("{file}:{number}: async")).collect()
}

fn impurities(file: &str, text: &str) -> Findings {
    let code = code(text);
    let mut findings = Vec::new();
    for (number, line) in numbered(&code) {
        let said = words(line).filter(|word| IMPURE.contains(word));
        let phrases = IMPURE_PHRASES.iter().copied().filter(|phrase| line.contains(phrase));
        findings.extend(said.chain(phrases).map(|what| format!("{file}:{number}: {what}")));
    }
    findings
}

fn undenied(lib: &str) -> Findings {
    let code = code(lib);
    let denied: Vec<&str> = attributes(&code, "#![deny(").chain(attributes(&code, "#![forbid(")).collect();
    let missing = DENIED
        .iter()
        .filter(|lint| !denied.iter().any(|list| list.split(',').any(|one| one.trim() == **lint)));
    missing.map(|lint| format!("crates/core/src/lib.rs does not deny {lint}")).collect()
}

/// Product code does not take back what `lib.rs` denies; its `cfg_attr(test, …)` does so for tests.
fn loosened(file: &str, text: &str) -> Findings {
    let code = code(text);
    let lists = ["#[allow(", "#![allow(", "#[expect(", "#![expect("];
    let lists = lists.iter().flat_map(|start| attributes(&code, start));
    let named = lists.flat_map(|list| DENIED.iter().filter(move |lint| list.contains(**lint)));
    named.map(|lint| format!("{file}: allows {lint}")).collect()
}

fn attributes<'a>(code: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(start).filter_map(move |(at, _)| code[at + start.len()..].split(")]").next())
}

fn disallowed(manifest: &str) -> Findings {
    if manifest.is_empty() {
        return vec!["crates/core/Cargo.toml is not there".to_owned()];
    }
    let allowed = |found: &Dependency| {
        let name = found.name.as_str();
        ALLOWED.contains(&name) || found.for_tests && ALLOWED_FOR_BENCHES.contains(&name)
    };
    let strangers = manifest::dependencies(manifest).into_iter().filter(|found| !allowed(found));
    strangers
        .map(|found| format!("crates/core depends on {}, which is not on its list", found.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn async_is_found_outside_its_modules_only() {
        let text = "pub async fn f() {}";
        assert_eq!(misplaced_async("crates/core/src/run.rs", text), Findings::new());
        assert_eq!(misplaced_async("crates/core/src/serve/body.rs", text), Findings::new());
        assert_eq!(misplaced_async("crates/core/src/call/mod.rs", text).len(), 1);
        assert_eq!(misplaced_async("crates/core/src/runtime.rs", "let x = f().await;").len(), 1);
        assert_eq!(
            misplaced_async("crates/core/src/call/mod.rs", "// async\nlet s = \"async\";"),
            Findings::new()
        );
    }

    #[test]
    fn impurities_are_found_in_code_only() {
        for bad in [
            "fn f(x: &dyn Any) {}",
            "unsafe { }",
            "Instant::now()",
            "#[cfg(target_arch = \"wasm32\")]",
            "if cfg!(not(target_os = \"linux\")) {",
            "T: Clone + Send",
        ] {
            assert_eq!(impurities("f.rs", bad).len(), 1, "{bad}");
        }
        let good = "#![deny(unsafe_code)] // no dyn\nenum Step { Send(u8) }\nlet instant = \"Instant\";";
        assert_eq!(impurities("f.rs", good), Findings::new());
    }

    #[test]
    fn each_lint_must_be_denied_and_stay_so() {
        let full = format!("#![deny({})]", DENIED.join(", "));
        assert_eq!(undenied(&full), Findings::new());
        assert_eq!(undenied(&full.replace("clippy::panic,", "")).len(), 1);
        assert_eq!(undenied("").len(), DENIED.len());
        assert_eq!(loosened("f.rs", "#[allow(clippy::panic)]\nfn f() {}").len(), 1);
        assert_eq!(loosened("f.rs", "#![cfg_attr(test, allow(clippy::panic))]"), Findings::new());
    }

    #[test]
    fn a_stranger_among_the_dependencies_is_found() {
        assert_eq!(disallowed("[dependencies]\nserde.workspace = true"), Findings::new());
        assert_eq!(disallowed("[dependencies]\nserde.workspace = true\ntokio.workspace = true").len(), 1);
        assert_eq!(disallowed("[target.'cfg(unix)'.dependencies]\nlibc = \"1\"").len(), 1);
        assert_eq!(disallowed("[dependencies]\ncriterion.workspace = true").len(), 1);
        assert_eq!(disallowed("[dev-dependencies]\ncriterion.workspace = true"), Findings::new());
        assert_eq!(disallowed("[dev-dependencies]\ntokio.workspace = true").len(), 1);
    }
}
