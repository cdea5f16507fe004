//! Files that are sent, and what is handed back.

use opencode_core::sandbox::{Encoding, Execution, File, Outcome};

use super::{python, run};

fn text(name: &str, content: &str) -> File {
    File { name: name.to_owned(), content: content.to_owned(), encoding: Encoding::Utf8 }
}

fn content(outcome: &Outcome, name: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let found = outcome.artifacts.iter().find(|artifact| artifact.name == name)?;
    base64::engine::general_purpose::STANDARD.decode(found.content.as_ref()?).ok()
}

fn skipped(outcome: &Outcome) -> Vec<(&str, &str)> {
    outcome.skipped.iter().map(|skipped| (skipped.name.as_str(), skipped.why.as_str())).collect()
}

#[test]
fn new_and_changed_files_come_back_and_others_do_not() {
    let mut execution = Execution::of(
        "python",
        "import os\nopen('new', 'w').write('n')\nopen('d/changed', 'w').write('after!')\nos.remove('gone')\n\
         os.makedirs('e/f')\nopen('e/f/deep.json', 'w').write('{\"a\": 1}')\nprint(open('d/same').read())",
    );
    execution.files = vec![text("d/same", "s"), text("d/changed", "before"), text("gone", "g")];
    let outcome = run(&execution);
    assert_eq!(outcome.stdout, "s\n", "{}", outcome.stderr);
    let names: Vec<_> =
        outcome.artifacts.iter().map(|artifact| (artifact.name.as_str(), artifact.media.as_str())).collect();
    assert_eq!(
        names,
        [("d/changed", "text/plain"), ("e/f/deep.json", "application/json"), ("new", "text/plain")]
    );
    assert_eq!(content(&outcome, "d/changed").unwrap(), b"after!");
    assert_eq!(outcome.removed, ["gone"]);
    assert!(outcome.skipped.is_empty(), "{:?}", outcome.skipped);
}

#[test]
fn bytes_go_in_and_come_out_as_they_are() {
    let mut execution = Execution::of("python", "open('out', 'wb').write(open('in', 'rb').read()[::-1])");
    execution.files = vec![File { name: "in".into(), content: "AP+A".into(), encoding: Encoding::Base64 }];
    let outcome = run(&execution);
    assert_eq!(content(&outcome, "out").unwrap(), [0x80, 0xff, 0]);
    assert_eq!(outcome.artifacts[0].media, "application/octet-stream");
}

#[test]
fn a_module_that_was_sent_can_be_imported() {
    let mut execution = Execution::of("python", "import helper\nprint(helper.twice(4))");
    execution.files = vec![text("helper.py", "def twice(x):\n    return 2 * x\n")];
    let outcome = run(&execution);
    assert_eq!((outcome.stdout.as_str(), outcome.artifacts.len()), ("8\n", 0), "{outcome:?}");
}

#[test]
fn what_is_no_file_of_its_own_is_not_handed_back() {
    let outcome = python(
        "import os\nos.symlink('/etc/passwd', 'link')\nos.symlink('/etc', 'folder')\nopen('a', 'w').write('x')\n\
         os.link('a', 'b')\nos.mkfifo('fifo')\nopen('new\\nline', 'w')\nopen(b'\\xff', 'w')\n\
         os.makedirs('/'.join('123456789'))\nopen('sparse', 'w').truncate(100 << 20)\nopen('shut', 'w').write('s')\n\
         os.chmod('shut', 0)\nos.mkdir('closed')\nopen('closed/x', 'w').write('c')\nos.chmod('closed', 0)",
    );
    assert_eq!(outcome.stderr, "");
    let expected = [
        ("1/2/3/4/5/6/7/8", "too_deep"),
        ("a", "hard_link"),
        ("b", "hard_link"),
        ("fifo", "not_a_file"),
        ("folder", "symlink"),
        ("link", "symlink"),
        ("new\nline", "name"),
        ("\u{fffd}", "name"),
    ];
    assert_eq!(skipped(&outcome), expected);
    assert_eq!(content(&outcome, "shut").unwrap(), b"s");
    assert_eq!(content(&outcome, "closed/x").unwrap(), b"c");
    let sparse = outcome.artifacts.iter().find(|artifact| artifact.name == "sparse").unwrap();
    assert_eq!((sparse.bytes, sparse.content.as_ref()), (100 << 20, None));
}

#[test]
fn too_many_and_too_large_ones_are_named() {
    let mut execution =
        Execution::of("python", "for i in range(5): open(f'f{i}', 'w').write('x' * (10 if i else 2000))");
    execution.limits.artifacts = 3;
    execution.limits.artifacts_bytes = 1000;
    let outcome = run(&execution);
    let found: Vec<_> = outcome
        .artifacts
        .iter()
        .map(|artifact| (artifact.name.as_str(), artifact.content.is_some()))
        .collect();
    assert_eq!(found, [("f0", false), ("f1", true), ("f2", true)]);
    assert_eq!(skipped(&outcome), [("f3", "too_many"), ("f4", "too_many")]);
}

#[test]
fn types_are_told_from_bytes() {
    use crate::run::collect::media;
    for (bytes, expected) in [
        (&b"\x89PNG\r\n\x1a\nrest"[..], "image/png"),
        (b"<svg onload=alert(1)>", "image/svg+xml"),
        (b"<?xml version='1.0'?><svg/>", "image/svg+xml"),
        (b" <!DOCTYPE HTML><p>", "text/html"),
        (b"[1, 2]", "application/json"),
        (b"{not json", "text/plain"),
        (b"a,b\n1,2\n", "text/plain"),
        (
            b"PK\x03\x04....[Content_Types].xml....xl/workbook.xml",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        (b"PK\x03\x04....xl/workbook.xml", "application/zip"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\0\0\0", "application/octet-stream"),
        (b"\xff\xfe", "application/octet-stream"),
        (b"", "text/plain"),
    ] {
        assert_eq!(media(bytes, true), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_tree_that_is_too_deep_ends_the_program_and_is_wiped() {
    let outcome = python(
        "import os, time\nfor i in range(10_000):\n    os.mkdir('d')\n    os.chdir('d')\ntime.sleep(600)",
    );
    assert_eq!(outcome.status, opencode_core::sandbox::Status::Files, "{outcome:?}");
}
