//! Output and input.

use opencode_core::sandbox::{Execution, Status};

use super::{printed, python, run, sandbox};

#[test]
fn ten_megabytes_come_whole_where_they_may() {
    let mut execution = Execution::of("python", "for i in range(100_000): print('x' * 99)");
    execution.limits.output_bytes = 16 << 20;
    let outcome = run(&execution);
    assert_eq!((outcome.status, outcome.stdout.len()), (Status::Ok, 10_000_000), "{}", outcome.stderr);
    assert!(!outcome.stdout_truncated);
}

#[test]
fn what_is_too_much_is_dropped_and_told_and_the_program_ends_by_itself() {
    let mut execution = Execution::of(
        "python",
        "import sys\nfor i in range(1000): sys.stdout.write('é' * 5000)\nsys.stderr.write('kept')",
    );
    execution.limits.output_bytes = 1025;
    let outcome = run(&execution);
    assert_eq!(
        (outcome.status, outcome.stdout_truncated, outcome.stderr_truncated),
        (Status::Ok, true, false)
    );
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("é".repeat(512).as_str(), "kept"));
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_told() {
    let outcome = python("import os\nos.write(1, b'a\\xff\\xfeb\\0\\x1b[31m\\xc3')");
    assert_eq!(outcome.stdout, "a\u{fffd}\u{fffd}b\0\u{1b}[31m\u{fffd}");
    assert!(outcome.replaced && !python("print('é')").replaced);
}

#[test]
fn letters_of_every_kind_pass() {
    let text = "naïve Ωμέγα 数据 🦀 \u{202e}rtl";
    assert_eq!(printed(&format!("print('{text}')")), format!("{text}\n"));
}

#[test]
fn pieces_join_to_the_text_and_come_while_it_runs() {
    let code = "import os\nfor b in '🦀'.encode(): os.write(1, bytes([b]))\nos.write(2, b'e')\nprint('end')";
    let (mut out, mut err, mut kinds) = (String::new(), String::new(), Vec::new());
    let (outcome, _) = sandbox().run(&Execution::of("python", code), &mut |line| {
        let text = line.text.unwrap_or_default();
        match line.kind.as_str() {
            "stdout" => out.push_str(&text),
            "stderr" => err.push_str(&text),
            _ => {}
        }
        kinds.push(line.kind);
    });
    assert_eq!((out.as_str(), err.as_str()), ("🦀end\n", "e"));
    assert_eq!((&out, &err), (&outcome.stdout, &outcome.stderr));
    assert_eq!(kinds.first().map(String::as_str), Some("started"));
}

#[test]
fn input_is_read_to_its_end() {
    let mut execution = Execution::of("python", "import sys\nprint(len(sys.stdin.read()))");
    execution.stdin = "é".repeat(2 << 20);
    assert_eq!(run(&execution).stdout, format!("{}\n", 2 << 20));
    assert_eq!(printed("import sys\nprint(repr(sys.stdin.read()))"), "''\n");
}

#[test]
fn input_that_nobody_reads_blocks_nobody() {
    let mut execution = Execution::of("python", "print('x' * 1_000_000)");
    execution.stdin = "x".repeat(5 << 20);
    let outcome = run(&execution);
    assert_eq!((outcome.status, outcome.stdout.len()), (Status::Ok, 1_000_001));
}
