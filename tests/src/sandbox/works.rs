//! What programs can do in a sandbox: numbers, plots, files, text, every language, and every way to end.

use std::sync::Arc;

use libtest_mimic::Trial;
use opencode_core::sandbox::{Encoding, Execution, File};
use serde_json::{Value, json};

use super::case;
use super::place::{Ask, Place};
use super::seen::Seen;
use super::setup::{Parts, Setup};

/// What is asked for and what must come of it.
struct Work {
    name: &'static str,
    language: &'static str,
    code: &'static str,
    shape: fn(&mut Execution),
    holds: fn(&Seen) -> bool,
}

const fn work(
    name: &'static str,
    language: &'static str,
    code: &'static str,
    holds: fn(&Seen) -> bool,
) -> Work {
    Work { name, language, code, shape: |_| {}, holds }
}

impl Work {
    const fn with(mut self, shape: fn(&mut Execution)) -> Self {
        self.shape = shape;
        self
    }
}

const LETTERS: &str = "héllo – 数据 – 🦀";
const WORKS: &[Work] = &[
    work("numpy", "python", "import numpy\nnumpy.arange(12).reshape(3, 4).sum(axis=0).tolist()", |seen| {
        shown(seen) == json!([12, 15, 18, 21])
    }),
    work(
        "pandas",
        "python",
        "import pandas\nframe = pandas.read_csv('sales.csv')\nframe.groupby('who').sum().to_csv('sums.csv')\nprint(frame.amount.mean())",
        |seen| seen.text("stdout") == "2.0\n" && artifact(seen, "sums.csv") == b"who,amount\nann,4\nbob,2\n",
    )
    .with(|run| send(run, "sales.csv", "who,amount\nann,1\nbob,2\nann,3\n")),
    work(
        "plot",
        "python",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3], [1, 4, 9], label='squares')\nplt.title('growth')",
        |seen| is_png(&artifact(seen, "plot-1.png")) && plotted(seen) == json!([1, 4, 9]),
    ),
    work("unicode", "python", "print(input())", |seen| seen.text("stdout") == format!("{LETTERS}\n"))
        .with(|run| run.stdin = LETTERS.to_owned()),
    work("unicode-js", "javascript", "process.stdin.pipe(process.stdout)", |seen| seen.text("stdout") == LETTERS)
        .with(|run| run.stdin = LETTERS.to_owned()),
    work("unicode-bash", "bash", "cat", |seen| seen.text("stdout") == LETTERS)
        .with(|run| run.stdin = LETTERS.to_owned()),
    work("much-output", "python", "for _ in range(100_000): print('x' * 99)", |seen| {
        let whole = seen.text("stdout").len();
        is(seen, "ok") && seen.outcome.as_ref().is_some_and(|outcome| {
            if outcome["stdout_truncated"] == true { whole > 4_000_000 } else { whole == 10_000_000 }
        })
    })
    .with(|run| run.limits.output_bytes = 16 << 20),
    work("arguments", "python", "import os, sys\nprint(sys.argv[1:], os.environ['GREETING'])", |seen| {
        seen.text("stdout") == "['a b', '-c'] hé\n"
    })
    .with(|run| {
        run.args = vec!["a b".to_owned(), "-c".to_owned()];
        run.env.insert("GREETING".to_owned(), "hé".to_owned());
    }),
    work(
        "files",
        "bash",
        "rm gone.txt; echo more >> folder/kept.txt; mkdir -p new/deep; printf '\\0\\1' > new/deep/two.bin",
        |seen| {
            artifact(seen, "folder/kept.txt") == b"kept\nmore\n"
                && artifact(seen, "new/deep/two.bin") == [0, 1]
                && member(seen, "removed") == json!(["gone.txt"])
                && seen.artifacts().len() == 2
        },
    )
    .with(|run| {
        send(run, "gone.txt", "x");
        send(run, "same.txt", "x");
        send(run, "folder/kept.txt", "kept\n");
    }),
    work(
        "typescript",
        "typescript",
        "interface Sum { of: number[] }\nconst sum = (s: Sum): number => s.of.reduce((a, b) => a + b, 0);\nconsole.log(sum({ of: [1, 2, 3] }));",
        |seen| seen.text("stdout") == "6\n",
    ),
    work("modules", "javascript", "import { basename } from 'node:path';\nconsole.log(basename('/a/b'), await 1);", |seen| {
        seen.text("stdout") == "b 1\n"
    }),
    work("require", "javascript", "console.log(require('node:path').basename('/a/b'));", |seen| {
        seen.text("stdout") == "b\n"
    }),
    work("long-loop", "python", "total = 0\nfor n in range(3_000_000): total += n\ntotal", |seen| {
        shown(seen) == json!(4_499_998_500_000_u64)
    }),
    work(
        "recursion",
        "python",
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\n[even(500), fib(15)]",
        |seen| shown(seen) == json!([true, 610]),
    ),
    work("no-value", "python", "1 + 1\nNone", |seen| member(seen, "result").is_null() && is(seen, "ok")),
    work("a-value-that-is-no-json", "python", "{1, 2} - {2}", |seen| {
        member(seen, "result")["text"] == "{1}" && member(seen, "result")["json"].is_null()
    }),
    work("traceback", "python", "def broken():\n    return 1 / 0\n\nbroken()", |seen| {
        is(seen, "error")
            && member(seen, "exit_code") == 1
            && ["line 2", "return 1 / 0", "ZeroDivisionError"].iter().all(|part| seen.text("stderr").contains(part))
    }),
    work("exit-code", "bash", "exit 7", |seen| is(seen, "error") && member(seen, "exit_code") == 7),
    work("odd-bytes", "bash", "printf 'a\\377\\0b'", |seen| {
        seen.text("stdout") == "a\u{fffd}\0b" && member(seen, "replaced") == true
    }),
    work("timeout", "bash", "sleep 60", |seen| is(seen, "timeout")).with(|run| run.limits.wall_ms = 300),
    work("processor-time", "python", "while True: pass", |seen| is(seen, "timeout"))
        .with(|run| run.limits.cpu_ms = 300),
    work("memory", "python", "x = [bytearray(b'x') * (16 << 20) for _ in range(60)]\nimport time; time.sleep(5)", |seen| {
        is(seen, "memory")
    })
    .with(|run| run.limits.memory_bytes = 128 << 20),
    work("disk", "bash", "for n in 1 2 3 4 5 6 7 8; do head -c 900000 /dev/zero > $n; done; sleep 5", |seen| {
        is(seen, "disk")
    })
    .with(|run| run.limits.disk_bytes = 2 << 20),
    work("many-files", "python", "for n in range(30_000): open(str(n), 'w').close()\nimport time; time.sleep(5)", |seen| {
        is(seen, "files")
    }),
    work("killed", "bash", "kill -SEGV $$", |seen| is(seen, "killed") && seen.text("signal") == "SIGSEGV"),
];

/// One test for each, and what is not about one program.
pub fn trials(setup: Setup, parts: &Arc<Parts>) -> Vec<Trial> {
    let works = WORKS.iter().map(|work| {
        let parts = Arc::clone(parts);
        Trial::test(format!("{}::works::{}", setup.name(), work.name), move || Ok(run(work, setup, &parts)?))
    });
    let (one, two) = (Arc::clone(parts), Arc::clone(parts));
    works
        .chain([
            Trial::test(format!("{}::works::isolation", setup.name()), move || Ok(isolation(setup, &one)?)),
            Trial::test(format!("{}::works::lost", setup.name()), move || Ok(lost(setup, &two)?)),
        ])
        .collect()
}

fn run(work: &Work, setup: Setup, parts: &Parts) -> Result<(), String> {
    let mut run = Execution::of(work.language, work.code);
    run.limits.wall_ms = 20_000;
    run.nonce = "a nonce".to_owned();
    run.whole = true;
    (work.shape)(&mut run);
    let seen = Place::start(setup, parts, &[])?.run(&run)?;
    let signs = seen.signs();
    if (work.holds)(&seen) && signs.is_empty() {
        Ok(())
    } else {
        Err(format!("{signs:?}\n{}", seen.summary()))
    }
}

/// What protects a run is what is said, and it is all of it.
fn isolation(setup: Setup, parts: &Parts) -> Result<(), String> {
    let seen = Place::start(setup, parts, &[])?.run(&case::execution("plain.py")?)?;
    let isolation = member(&seen, "isolation");
    let expected = match setup {
        Setup::Full => {
            json!({ "profile": "full", "seccomp": true, "no_new_privs": true, "nondumpable": true })
        }
        _ => json!({ "profile": "lambda", "seccomp": false, "landlock_abi": 0, "nondumpable": true }),
    };
    let same = expected.as_object().into_iter().flatten().all(|(name, value)| isolation[name] == *value);
    if same { Ok(()) } else { Err(format!("{expected} is not in {isolation}")) }
}

/// An environment that is ended in the middle is told as what it is, and the next run has another.
fn lost(setup: Setup, parts: &Parts) -> Result<(), String> {
    let mut place = Place::start(setup, parts, &[])?;
    let ask = Ask { reset: Some("all"), ..Ask::of(&case::execution("20-leave-and-hang.py")?) };
    let seen = place.ask(&ask)?;
    // On Lambda it is the gateway that says so.
    if seen.status() != "sandbox_lost" && seen.problem.as_deref() != Some("lost") {
        return Err(seen.summary());
    }
    let next = place.run(&case::execution("plain.py")?)?;
    if next.text("stdout") == "plain\n" { Ok(()) } else { Err(next.summary()) }
}

fn send(run: &mut Execution, name: &str, content: &str) {
    run.files.push(File { name: name.to_owned(), content: content.to_owned(), encoding: Encoding::Utf8 });
}

fn is(seen: &Seen, status: &str) -> bool {
    seen.status() == status
}

fn member(seen: &Seen, name: &str) -> Value {
    seen.outcome.as_ref().map(|outcome| outcome[name].clone()).unwrap_or_default()
}

fn shown(seen: &Seen) -> Value {
    member(seen, "result")["json"].clone()
}

fn artifact(seen: &Seen, name: &str) -> Vec<u8> {
    let found = seen.artifacts().into_iter().find(|(known, _, _)| known == name);
    found.map(|(_, _, content)| content).unwrap_or_default()
}

/// The y values of the first line of the first plot's data.
fn plotted(seen: &Seen) -> Value {
    member(seen, "artifacts")[0]["data"]["axes"][0]["series"][0]["y"].clone()
}

/// A PNG that opens: its signature, a size that a screen has, every chunk's length and checksum, and its end
/// (<https://www.w3.org/TR/png-3/>).
fn is_png(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n") else { return false };
    let mut kinds = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(8) {
        let (length, kind) = head.split_at(4);
        let length = u32::from_be_bytes(length.try_into().unwrap_or_default()) as usize;
        let Some((content, tail)) = tail.split_at_checked(length) else { return false };
        let Some((sum, tail)) = tail.split_at_checked(4) else { return false };
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(content);
        if crc.sum().to_be_bytes() != *sum {
            return false;
        }
        if kinds.is_empty() {
            let number = |at: usize| {
                content.get(at..at + 4).map(|four| u32::from_be_bytes(four.try_into().unwrap_or_default()))
            };
            if !(0..=4).step_by(4).all(|at| number(at).is_some_and(|size| (100..=4096).contains(&size))) {
                return false;
            }
        }
        kinds.push(kind.to_vec());
        rest = tail;
    }
    rest.is_empty()
        && kinds.first().is_some_and(|kind| kind == b"IHDR")
        && kinds.last().is_some_and(|kind| kind == b"IEND")
}
