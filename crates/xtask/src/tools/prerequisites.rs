//! What a machine must bring itself, checked before any long work.

use std::process::Command;

use super::Tool;
use crate::failure::{Failure, Result};
use crate::process;

/// The oldest Java that DynamoDB Local runs on.
const JAVA: u32 = 17;

/// Says in one sentence each what is not there: for installing `missing`, and for using `wanted`.
pub fn check(wanted: &[Tool], missing: &[Tool]) -> Result<()> {
    let mut lacking = Vec::new();
    if !process::on_path("cc") {
        lacking.push("a C compiler (`cc`) is needed: install build-essential.".to_owned());
    }
    if missing.contains(&Tool::Rust) && !process::on_path("rustup") {
        lacking.push(
            "the wasm32-unknown-unknown target, rustfmt and clippy are needed: install them, or rustup."
                .to_owned(),
        );
    }
    let from = |tool: Tool| missing.contains(&tool) || missing.contains(&Tool::Clients);
    if from(Tool::Npm) && !process::on_path("npm") {
        lacking.push(
            "npm is needed to install wrangler and the SDKs: install npm (any Node will do).".to_owned(),
        );
    }
    if (from(Tool::Python) || missing.contains(&Tool::Sandbox)) && !python_has_venv() {
        lacking.push(
            "python3 with its venv module is needed to install SAM, the SDKs and the sandbox's packages: install \
             python3-venv."
                .to_owned(),
        );
    }
    if wanted.contains(&Tool::Sandbox) && !["unshare", "setpriv", "ip"].into_iter().all(process::on_path) {
        lacking.push(
            "unshare, setpriv and ip are needed to attack the sandbox: install util-linux and iproute2."
                .to_owned(),
        );
    }
    if missing.contains(&Tool::Java) && !process::on_path("mvn") {
        lacking.push("Maven (`mvn`) is needed to install DynamoDB Local: install maven.".to_owned());
    }
    if wanted.contains(&Tool::Java) && java_version().is_none_or(|version| version < JAVA) {
        lacking.push(format!("Java {JAVA} or newer is needed to run DynamoDB Local: install a JDK."));
    }
    if lacking.is_empty() { Ok(()) } else { Err(Failure::Missing(lacking.join("\n       "))) }
}

fn python_has_venv() -> bool {
    process::output(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_some()
}

fn java_version() -> Option<u32> {
    major(&process::output(Command::new("java").arg("-version"))?)
}

/// The major version in what `java -version` prints.
fn major(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    let mut parts = version.split(['.', '-', '+']);
    match parts.next()?.parse().ok()? {
        // Java 8 calls itself 1.8.
        1 => parts.next()?.parse().ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn javas_of_every_age_say_their_version() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(major("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(major("java version \"1.8.0_402\""), Some(8));
        assert_eq!(major("command not found"), None);
    }
}
