//! The corpus: each attack with what must come of it in each set-up. Numbers are those of the collection that it was
//! made from; an attack of several parts has several rows.

use opencode_core::sandbox::{Encoding, Execution, File};

use super::seen::Sign;
use super::seen::Sign::{
    Changed, Forged, Grown, Hung, Left, Lost, Mistyped, Poisoned, Reached, Received, Said, Survivor, Told,
    TooLarge,
};

/// What must come of it where something protects.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// No sign of an escape at all.
    Held,
    /// What the platform cannot stop there: at least one of these signs and no other. It must be harmless.
    Recorded(&'static [Sign]),
    /// It cannot be tried there, and why. Never counts as passed.
    NotApplicable(&'static str),
}

/// What must come of it where nothing protects.
#[derive(Clone, Copy, Debug)]
pub enum Control {
    /// This sign at least: otherwise the attack is none, or the test cannot fail.
    Falls(Sign),
    /// It is no attack: it must work, or must be refused, everywhere.
    NoAttack,
}

/// How it is played.
#[derive(Clone, Copy, Debug)]
pub enum Play {
    /// The program runs.
    Once,
    /// Then another one runs in the same environment.
    Then(&'static str),
    /// In the middle of the program what is under test is ended, with all processes (`all`) or as far as its process
    /// group goes (`group`); then another one runs.
    Reset(&'static str, &'static str),
    /// The file holds changes to a plain execution; each of them must be refused.
    Refused,
    /// The file holds changes to a plain execution; each of them must be refused or run to its end.
    Taken,
    /// The program runs many times, for two tenants in turn, each time with a secret of its own.
    Alternating(u32),
}

impl Play {
    /// What it adds to a test's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reset("all", _) => "::reset",
            Self::Reset(..) => "::reset of a group",
            _ => "",
        }
    }
}

/// One row.
pub struct Row {
    /// Its number.
    pub number: u8,
    /// Its program: a file's name in `tests/sandbox/`.
    pub file: &'static str,
    /// The program's arguments.
    pub args: &'static [&'static str],
    /// Where every barrier of Linux can be had.
    pub full: Expected,
    /// On Lambda.
    pub lambda: Expected,
    /// Without anything.
    pub control: Control,
    /// How it is played.
    pub play: Play,
    /// How it may end where it is held; `error` and `ok` unless set.
    pub ends: &'static [&'static str],
    /// What else is asked for.
    pub shape: fn(&mut Execution),
}

const fn row(number: u8, file: &'static str, control: Control) -> Row {
    Row {
        number,
        file,
        args: &[],
        full: Expected::Held,
        lambda: Expected::Held,
        control,
        play: Play::Once,
        ends: &["ok", "error"],
        shape: |_| {},
    }
}

impl Row {
    const fn args(mut self, args: &'static [&'static str]) -> Self {
        self.args = args;
        self
    }

    const fn full(mut self, full: Expected) -> Self {
        self.full = full;
        self
    }

    const fn lambda(mut self, lambda: Expected) -> Self {
        self.lambda = lambda;
        self
    }

    const fn recorded(self, signs: &'static [Sign]) -> Self {
        self.lambda(Expected::Recorded(signs))
    }

    const fn play(mut self, play: Play) -> Self {
        self.play = play;
        self
    }

    const fn ends(mut self, ends: &'static [&'static str]) -> Self {
        self.ends = ends;
        self
    }

    const fn shape(mut self, shape: fn(&mut Execution)) -> Self {
        self.shape = shape;
        self
    }
}

const fn falls(sign: Sign) -> Control {
    Control::Falls(sign)
}

/// Modules with the names of those that an interpreter or a harness imports.
fn early(run: &mut Execution) {
    let content = super::case::program("62-early.py").unwrap_or_default();
    for name in ["sitecustomize.py", "usercustomize.py", "json.py", "_ast.py", "posix.py", "matplotlib.py"] {
        run.files.push(File { name: name.to_owned(), content: content.clone(), encoding: Encoding::Utf8 });
    }
}

const BRIEF: fn(&mut Execution) = |run| run.limits.wall_ms = 1_000;
const LOOK: &str = "look-around.py";

/// All rows.
pub const ROWS: &[Row] = &[
    // What the sandbox knows.
    row(1, "01-own-environment.py", falls(Told)),
    row(2, "02-parent-environment.py", falls(Told)),
    row(3, "03-every-environment.py", falls(Told)),
    row(4, "04-parent-memory.py", falls(Told)),
    row(5, "05-process-vm.py", falls(Said)),
    row(6, "06-ptrace.py", falls(Said)),
    row(7, "07-pidfd-getfd.py", falls(Said)),
    row(8, "08-core-dump.py", falls(Said)),
    row(9, "09-command-lines.py", falls(Told)),
    row(10, "10-inherited-descriptors.py", falls(Told)),
    // Lambda's Runtime API.
    row(11, "11-runtime-api.py", falls(Reached)).recorded(&[Reached]),
    row(12, "12-next-event.py", falls(Reached)).recorded(&[Reached]),
    row(13, "13-forged-response.py", falls(Forged)).recorded(&[Poisoned, Survivor, Left]),
    row(14, "14-forged-error.py", falls(Poisoned)).recorded(&[Poisoned, Survivor, Left]),
    row(15, "15-extension.py", Control::NoAttack),
    row(16, "16-stolen-event.py", falls(Forged)).play(Play::Then("plain.py")),
    row(17, "17-log-and-tracing.py", falls(Received)),
    // Files.
    row(18, "18-write-outside.py", falls(Said)).recorded(&[Reached]),
    row(19, "19-leave-a-canary.py", falls(Said)).play(Play::Then(LOOK)),
    row(20, "20-leave-and-hang.py", falls(Said)).play(Play::Reset("all", LOOK)),
    row(20, "20-leave-and-hang.py", falls(Said))
        .play(Play::Then(LOOK))
        .args(&["until-killed"])
        .ends(&["timeout"])
        .shape(BRIEF),
    row(21, "21-one-large-file.py", falls(Said)).ends(&["disk", "ok", "killed"]),
    row(22, "22-many-files.py", falls(Left)).ends(&["files", "disk", "error"]),
    row(23, "23-deep-and-odd-names.py", falls(Left)).ends(&["ok", "error", "files"]),
    row(24, "24-read-the-image.py", falls(Told)).recorded(&[Reached]),
    row(25, "25-leave-startup-files.py", falls(Said)).play(Play::Then("plain.py")),
    // Processes.
    row(26, "26-fork-bomb.py", falls(Survivor)).ends(&["ok", "error", "timeout", "killed"]).shape(BRIEF),
    row(27, "27-daemon.py", falls(Survivor)),
    row(28, "28-kill-parent.py", falls(Lost)).args(&["STOP"]).recorded(&[Lost, Hung, Survivor, Left]),
    row(28, "28-kill-parent.py", falls(Lost)).args(&["KILL"]).recorded(&[Lost, Survivor, Left]),
    row(28, "28-kill-parent.py", falls(Lost))
        .args(&["ALL"])
        .recorded(&[Lost, Survivor, Left])
        .ends(&["ok", "error", "killed"]),
    row(29, "29-limits-of-parent.py", falls(Changed)).recorded(&[Changed, Poisoned, Reached]),
    row(30, "30-priority-of-parent.py", falls(Changed)).recorded(&[Changed, Poisoned, Reached]),
    row(31, "31-namespaces.py", falls(Said)),
    row(32, "32-endless-loop.py", falls(Hung)).ends(&["timeout"]).shape(BRIEF),
    row(33, "33-sleep-and-stdin.py", falls(Hung)).ends(&["timeout"]).shape(|run| {
        run.limits.wall_ms = 1_000;
        run.stdin = "x".repeat(5_000_000);
    }),
    // Memory.
    row(34, "34-heap.py", falls(Said)).ends(&["memory"]),
    row(35, "35-shared-memory.py", falls(Said)).ends(&["memory", "disk", "error"]),
    row(36, "36-many-children.py", falls(Said)).ends(&["memory"]),
    row(37, "37-large-address-space.py", Control::NoAttack).ends(&["ok"]),
    row(37, "37-large-address-space.js", Control::NoAttack).ends(&["ok"]),
    // Output.
    row(38, "38-gigabyte-of-output.py", falls(Grown)).ends(&["ok"]).shape(|run| run.limits.wall_ms = 20_000),
    row(39, "39-flood-stderr.py", falls(Hung)).ends(&["ok"]),
    row(40, "40-odd-bytes.py", falls(Lost)).ends(&["ok"]),
    row(41, "41-grandchild-holds-pipe.py", falls(Hung)).ends(&["ok"]),
    row(42, "42-forged-result.py", falls(Forged)).ends(&["ok"]),
    // Input.
    row(43, "43-stdin-and-terminal.py", falls(Hung)).shape(|run| run.stdin = "x".repeat(5_000_000)),
    // What is handed back.
    row(44, "44-links-to-secrets.py", falls(Told)).ends(&["ok"]),
    row(45, "45-special-files.py", falls(Hung)),
    row(46, "46-swapped-links.py", falls(Survivor)).ends(&["ok"]),
    row(47, "47-mistyped.py", falls(Mistyped)).ends(&["ok"]),
    row(48, "48-large-artifacts.py", falls(TooLarge))
        .ends(&["ok"])
        .shape(|run| run.limits.disk_bytes = 64 << 20),
    // What is sent.
    row(49, "49-names.json", falls(Left)).play(Play::Refused),
    row(50, "50-code.json", falls(Lost)).play(Play::Taken),
    row(51, "51-injection.json", falls(Said)).play(Play::Refused),
    row(52, "52-environment.py", Control::NoAttack).ends(&["ok"]),
    row(52, "52-environment.json", falls(Said)).play(Play::Refused),
    // The kernel.
    row(53, "53-kernel.py", falls(Reached)).recorded(&[Reached]),
    row(54, "54-own-program.py", falls(Told)),
    row(55, "55-other-abi.py", falls(Reached))
        .lambda(Expected::NotApplicable("what emulates Lambda here ends other architectures' calls itself")),
    row(56, "56-setuid.py", falls(Told)).lambda(Expected::NotApplicable(
        "the image is not built here; its Dockerfile removes every such file",
    )),
    // The network.
    row(57, "57-network.py", falls(Received)).recorded(&[Reached]),
    row(58, "58-metadata.py", falls(Told)),
    row(59, "59-listen.py", falls(Reached)).recorded(&[Reached]),
    // Between runs.
    row(60, "60-alternating.py", falls(Told)).play(Play::Alternating(100)),
    row(61, "61-side-channels.py", falls(Reached)).full(Expected::Recorded(&[Reached])).recorded(&[Reached]),
    row(62, "62-before-the-barriers.py", falls(Told)).shape(early),
];

/// Numbers that are counted once each, whatever their rows.
pub const CASES: usize = 62;

#[cfg(test)]
mod tests {
    use super::{CASES, ROWS};

    #[test]
    fn every_number_has_a_row_and_every_row_a_program() {
        let mut numbers: Vec<usize> = ROWS.iter().map(|row| usize::from(row.number)).collect();
        numbers.dedup();
        assert_eq!(numbers, (1..=CASES).collect::<Vec<_>>());
        for row in ROWS {
            assert!(super::super::case::program(row.file).is_ok(), "{}", row.file);
            assert!(row.file.starts_with(&format!("{:02}-", row.number)), "{}", row.file);
        }
    }
}
