//! How runs end.

use opencode_core::sandbox::{Execution, Status};

use super::{python, run};

fn limited(
    code: &str,
    limit: impl FnOnce(&mut opencode_core::sandbox::Limits),
) -> opencode_core::sandbox::Outcome {
    let mut execution = Execution::of("python", code);
    limit(&mut execution.limits);
    run(&execution)
}

#[test]
fn it_prints() {
    let outcome = python("print(1)");
    let said = (outcome.status, outcome.stdout.as_str(), outcome.stderr.as_str());
    assert_eq!(said, (Status::Ok, "1\n", ""), "{outcome:?}");
    assert_eq!((outcome.exit_code, outcome.signal.as_deref()), (Some(0), None));
    assert!(outcome.duration_ms > 0.0 && outcome.cpu_time_ms > 0.0 && outcome.peak_memory_bytes > 1 << 20);
}

#[test]
fn an_exit_code_is_told() {
    let outcome = python("import sys\nsys.exit(7)");
    assert_eq!((outcome.status, outcome.exit_code, outcome.signal), (Status::Error, Some(7), None));
    assert_eq!(python("import os\nos._exit(0)").status, Status::Ok);
}

#[test]
fn an_error_shows_the_lines_of_the_code_and_none_of_ours() {
    let outcome = python("def inner(x):\n    return 1 / x\n\n\ninner(0)\n");
    assert_eq!((outcome.status, outcome.exit_code), (Status::Error, Some(1)));
    let expected = [
        "Traceback (most recent call last):",
        "  File \"main.py\", line 5, in <module>",
        "    inner(0)",
        "  File \"main.py\", line 2, in inner",
        "    return 1 / x",
    ];
    for line in expected {
        assert!(outcome.stderr.contains(line), "{}", outcome.stderr);
    }
    assert!(outcome.stderr.ends_with("ZeroDivisionError: division by zero\n"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("<string>") && !outcome.stderr.contains("/out"), "{}", outcome.stderr);
}

#[test]
fn code_that_cannot_be_read_says_where() {
    let outcome = python("x = 1\nif x\n");
    assert_eq!(outcome.status, Status::Error);
    assert!(outcome.stderr.contains("File \"main.py\", line 2"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("SyntaxError"), "{}", outcome.stderr);
}

#[test]
fn a_signal_that_nobody_sent_for_a_limit_is_killed() {
    let outcome =
        python("import os, signal\nprint('before', flush=True)\nos.kill(os.getpid(), signal.SIGSEGV)");
    let said = (outcome.status, outcome.exit_code, outcome.signal.as_deref());
    assert_eq!(said, (Status::Killed, None, Some("SIGSEGV")));
    assert_eq!(outcome.stdout, "before\n");
    let outcome = python("import os\nos.kill(os.getpid(), 9)");
    assert_eq!((outcome.status, outcome.signal.as_deref()), (Status::Killed, Some("SIGKILL")));
}

#[test]
fn wall_time_ends_a_program_that_waits() {
    let outcome = limited("print('x')\nimport time\ntime.sleep(600)", |limits| limits.wall_ms = 500);
    assert_eq!((outcome.status, outcome.exit_code), (Status::Timeout, None), "{outcome:?}");
    assert_eq!((outcome.stdout.as_str(), outcome.signal.as_deref()), ("x\n", Some("SIGKILL")));
    assert!(outcome.duration_ms >= 500.0);
}

#[test]
fn wall_time_ends_a_program_that_ignores_signals() {
    let code = "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except Exception: pass\nwhile True: pass";
    assert_eq!(limited(code, |limits| limits.wall_ms = 500).status, Status::Timeout);
}

#[test]
fn processor_time_ends_a_program_that_computes() {
    let outcome = limited("while True: pass", |limits| limits.cpu_ms = 200);
    assert_eq!(outcome.status, Status::Timeout, "{outcome:?}");
    assert!(outcome.cpu_time_ms >= 200.0);
    let forks = "import os\nwhile True:\n    if os.fork() == 0:\n        sum(range(300000)); os._exit(0)\n    os.wait()";
    assert_eq!(limited(forks, |limits| limits.cpu_ms = 300).status, Status::Timeout);
}

#[test]
fn memory_ends_a_program_that_takes_too_much() {
    for code in [
        "a = []\nwhile True: a.append(bytearray(1 << 20))",
        "x = bytearray(1 << 40)",
        "import mmap\nm = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096): m[i] = 1",
        "import os, time\nfor i in range(8):\n    if os.fork() == 0:\n        x = b'x' * (20 << 20); time.sleep(600)\ntime.sleep(600)",
    ] {
        let outcome = limited(code, |limits| limits.memory_bytes = 100 << 20);
        assert_eq!(outcome.status, Status::Memory, "{code}: {outcome:?}");
    }
}

#[test]
fn one_file_that_is_too_large_is_disk() {
    let code = "f = open('x', 'wb')\nwhile True: f.write(b'x' * 65536)";
    let outcome = limited(code, |limits| limits.disk_bytes = 2 << 20);
    assert_eq!(outcome.status, Status::Disk, "{outcome:?}");
}

#[test]
fn many_files_that_are_too_large_together_are_disk() {
    let code =
        "import time\nfor i in range(100):\n    open(f'x{i}', 'wb').write(b'x' * (1 << 20))\ntime.sleep(600)";
    let outcome = limited(code, |limits| limits.disk_bytes = 4 << 20);
    assert_eq!(outcome.status, Status::Disk, "{outcome:?}");
}

#[test]
fn a_file_that_is_deleted_and_still_held_is_disk() {
    let code = "import os, time\nheld = []\nfor i in range(100):\n    held.append(open('x', 'wb', buffering=0))\n    held[-1].write(b'x' * (1 << 20))\n    os.unlink('x')\ntime.sleep(600)";
    let outcome = limited(code, |limits| limits.disk_bytes = 8 << 20);
    assert_eq!(outcome.status, Status::Disk, "{outcome:?}");
}

#[test]
fn too_many_files_are_files() {
    let outcome = python("import time\nfor i in range(20000): open(str(i), 'w').close()\ntime.sleep(600)");
    assert_eq!(outcome.status, Status::Files, "{outcome:?}");
}

#[test]
fn processes_are_bounded() {
    let code = "import os, time\nmade = 0\ntry:\n    for i in range(100):\n        if os.fork() == 0: time.sleep(600)\n        made += 1\nexcept BlockingIOError:\n    print(made < 30)\nos._exit(0)";
    let outcome = limited(code, |limits| limits.processes = 20);
    assert_eq!(outcome.stdout, "True\n", "{outcome:?}");
}

#[test]
fn a_grandchild_that_holds_the_pipes_does_not_hold_the_answer() {
    let outcome = python("import os, time\nif os.fork() == 0:\n    time.sleep(600)\nprint('done')");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Status::Ok, "done\n"));
    assert!(outcome.duration_ms < 60_000.0);
}
