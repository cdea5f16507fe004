//! What failed, said again at the end: a long run's own words about it are far above.

/// The most lines that are kept of one suite, and the most characters of a line.
const LINES: usize = 60;
/// See [`LINES`].
const LONGEST: usize = 600;

/// Listens to a suite.
#[derive(Default)]
pub struct Report {
    lines: Vec<String>,
    inside: bool,
}

impl Report {
    /// A line that the suite printed. What tests say of their failures stands between `failures:` and the result.
    pub fn hear(&mut self, line: &str) {
        if line.starts_with("test result:") {
            self.inside = false;
        }
        if self.inside && !line.trim().is_empty() && self.lines.len() < LINES {
            self.lines.push(line.chars().take(LONGEST).collect());
        }
        if line == "failures:" {
            self.inside = true;
        }
    }

    /// What is to be said again.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tests_say_of_their_failures_is_kept_and_nothing_else() {
        let mut report = Report::default();
        let said =
            "test a ... ok\n\nfailures:\n\n---- b ----\n1, not 2\n\ntest result: FAILED.\nhosts: 1 failed";
        said.lines().for_each(|line| report.hear(line));
        assert_eq!(report.lines(), ["---- b ----", "1, not 2"]);
    }
}
