use super::{Encoding, Execution, File, LANGUAGES, Language, Name, clash};

fn file(name: &str) -> File {
    File { name: name.to_owned(), content: String::new(), encoding: Encoding::Utf8 }
}

/// What an execution that was changed is refused for, as its caller reads it.
fn refused(change: impl FnOnce(&mut Execution)) -> Option<String> {
    let mut execution = Execution::of("python", "print(1)");
    change(&mut execution);
    execution.check().err().and_then(|error| error.param)
}

#[test]
fn a_seal_is_of_its_key_nonce_and_answer_alone() {
    let made = super::seal("key", "nonce", b"{}\n");
    assert_eq!(made.len(), 64);
    for other in [
        super::seal("kez", "nonce", b"{}\n"),
        super::seal("key", "nonc", b"{}\n"),
        super::seal("key", "nonce", b"{}"),
    ] {
        assert_ne!(made, other);
    }
}

#[test]
fn a_bad_member_is_named() {
    assert_eq!(refused(|_| {}), None);
    assert_eq!(refused(|run| run.version = 2).as_deref(), Some("version"));
    assert_eq!(refused(|run| run.language = "python3;id".into()).as_deref(), Some("language"));
    assert_eq!(refused(|run| run.code = "x".repeat(super::bounds::CODE + 1)).as_deref(), Some("code"));
    assert_eq!(refused(|run| run.code = "a\0b".into()).as_deref(), Some("code"));
    assert_eq!(refused(|run| run.stdin = "x".repeat(super::bounds::STDIN + 1)).as_deref(), Some("stdin"));
    assert_eq!(refused(|run| run.args = vec!["\0".into()]).as_deref(), Some("args"));
    assert_eq!(refused(|run| run.limits.wall_ms = 0).as_deref(), Some("limits.wall_ms"));
    assert_eq!(refused(|run| run.limits.processes = u64::MAX).as_deref(), Some("limits.processes"));
    assert_eq!(refused(|run| run.files = vec![file("a"), file("a/b")]).as_deref(), Some("files"));
    let torn = File { name: "a".into(), content: "=".into(), encoding: Encoding::Base64 };
    assert_eq!(refused(|run| run.files = vec![torn]).as_deref(), Some("files[0].content"));
}

#[test]
fn variables_that_change_how_an_interpreter_starts_are_refused() {
    for name in [
        "LD_PRELOAD",
        "PYTHONPATH",
        "NODE_OPTIONS",
        "BASH_ENV",
        "IFS",
        "path",
        "AWS_REGION",
        "",
        "1A",
        "A-B",
        "A=B",
    ] {
        let refused = refused(|run| drop(run.env.insert(name.to_owned(), String::new())));
        assert_eq!(refused.as_deref(), Some("env"), "{name}");
    }
    assert_eq!(refused(|run| drop(run.env.insert("GREETING".into(), "hé\n".into()))), None);
}

#[test]
fn names_stay_below_the_folder() {
    for name in ["a", "a.txt", "a/b/c.csv", "ünïcode.txt", ".hidden", "a b", "...", "a;b", "数据.csv"] {
        assert!(Name::parse(name).is_some(), "{name}");
    }
    let (long, deep) = ("x".repeat(256), "d/".repeat(8) + "x");
    let bad = [
        "",
        "/a",
        "../x",
        "a/../../b",
        "a//b",
        "a/",
        "./a",
        "a/.",
        "C:\\x",
        "C:x",
        "a\\b",
        "a\0b",
        "a\nb",
        "e\u{301}",
    ];
    for name in bad.into_iter().chain([long.as_str(), deep.as_str(), "a\u{202e}txt.exe"]) {
        assert_eq!(Name::parse(name), None, "{name:?}");
    }
}

#[test]
fn names_that_cannot_stand_side_by_side_are_found() {
    for (names, found) in [
        (&["a", "b", "c/d", "c/e"][..], None),
        (&["a", "a"], Some("a")),
        (&["a", "A"], Some("A")),
        (&["Éa", "ÉA"], Some("ÉA")),
        (&["a", "a/b"], Some("a/b")),
        (&["a/b", "a"], Some("a")),
        (&["a/b/c", "A/B"], Some("A/B")),
    ] {
        assert_eq!(clash(names.iter().copied()), found, "{names:?}");
    }
}

#[test]
fn languages_have_one_name_each() {
    let names: Vec<_> = LANGUAGES.iter().flat_map(|row| row.aliases.iter().chain([&row.name])).collect();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(names.len(), distinct.len());
    assert_eq!(Language::find("py").map(|row| row.name), Some("python"));
    assert_eq!(Language::find("Python"), None);
}

#[test]
fn an_execution_is_read_with_its_defaults() {
    let execution: Execution =
        serde_json::from_str(r#"{"version":1,"language":"bash","code":"ls","limits":{"wall_ms":500}}"#)
            .unwrap();
    assert_eq!(execution.limits.wall_ms, 500);
    assert_eq!(execution.limits.processes, super::Limits::default().processes);
    assert!(
        serde_json::from_str::<Execution>(
            r#"{"version":1,"language":"bash","code":"ls","limits":{"wall":5}}"#
        )
        .is_err()
    );
}

/// What is heard of a sealed answer.
mod heard {
    use std::sync::Arc;

    use bytes::Bytes;
    use serde_json::{Value, json};

    use crate::sandbox::{Ended, Execution, Heard, Hearing, seal, written};
    use crate::wire::aws::event_stream::Message;

    const NONCE: &str = "0123";

    fn outcome() -> Value {
        let mut outcome = written(crate::sandbox::Status::Ok, "");
        outcome["exit_code"] = json!(0);
        outcome["isolation"] = json!({
            "profile": "lambda", "seccomp": false, "landlock_abi": 0, "no_new_privs": false,
            "user_namespace": false, "pid_namespace": false, "network_namespace": false, "separate_user": false,
            "nondumpable": true, "warm": false, "recycled": true,
        });
        outcome
    }

    fn lines() -> String {
        format!(
            "{}\n{}\n",
            json!({"type": "stdout", "text": "x"}),
            json!({"type": "outcome", "outcome": outcome()})
        )
    }

    fn sealed(key: &str, nonce: &str) -> String {
        let seal = seal(key, nonce, lines().as_bytes());
        format!("{}{}\n", lines(), json!({"type": "seal", "text": seal}))
    }

    /// Listens with a key to an answer in pieces of so many bytes.
    fn hear(key: Option<&str>, lines: &str, pieces: usize) -> Result<(Vec<Heard>, Ended), String> {
        let execution = Execution { nonce: NONCE.to_owned(), ..Execution::of("python", "") };
        let mut hearing = Hearing::new(Arc::new(execution), key);
        let chunks =
            lines.as_bytes().chunks(pieces).map(|piece| ("PayloadChunk", Bytes::copy_from_slice(piece)));
        let messages = chunks.chain([("InvokeComplete", Bytes::from_static(b"{}"))]);
        let bytes: Vec<u8> =
            messages.flat_map(|(name, payload)| Message::event(name, payload).encode().unwrap()).collect();
        let mut heard = Vec::new();
        for piece in bytes.chunks(pieces) {
            heard.extend(hearing.push(piece)?);
        }
        hearing.finish().map(|ended| (heard, ended))
    }

    #[test]
    fn only_the_sandboxs_own_seal_is_believed() {
        for pieces in [1, 7, 10_000] {
            let (heard, ended) = hear(Some("key"), &sealed("key", NONCE), pieces).unwrap();
            assert_eq!(heard, [Heard::Stdout("x".to_owned())]);
            assert!(matches!(ended, Ended::Outcome(outcome) if outcome["status"] == "ok"));
        }
        let other = sealed("key", NONCE).replace("\"x\"", "\"y\"");
        for forged in [lines(), sealed("kez", NONCE), sealed("key", "4567"), other] {
            assert_eq!(hear(Some("key"), &forged, 100).unwrap().1, Ended::Poisoned, "{forged}");
        }
        // Without a key a seal says nothing.
        assert!(matches!(hear(None, &sealed("kez", NONCE), 100).unwrap().1, Ended::Outcome(_)));
        assert!(matches!(hear(None, &lines(), 100).unwrap().1, Ended::Outcome(_)));
    }

    #[test]
    fn lines_in_another_order_are_no_answer() {
        let says = |lines: &str| hear(None, lines, 100).unwrap_err();
        assert!(says("").contains("without an outcome"));
        assert!(says(&format!("{}{}", lines(), lines())).contains("follows the outcome"));
        assert!(says(&format!("{}x", lines())).contains("without an outcome"));
        assert!(says("{\"type\":\"seal\",\"text\":\"\"}\n").contains("not known"));
        assert!(says("[]\n").contains("not known"));
        assert!(says(&format!("{}\n", "[".repeat(1_000))).contains("nested deeper"));
        assert!(says(&lines().replace("\"version\":1", "\"version\":7")).contains("`version`"));
    }

    /// Whatever a byte of it is changed to, an answer is refused, or is one that is within its bounds.
    #[test]
    fn no_change_gets_past_the_bounds() {
        let good = lines();
        for at in 0..good.len() {
            for byte in [b'"', b'0', b'}', 0xff] {
                let mut changed = good.clone().into_bytes();
                changed[at] = byte;
                if let Ok((_, Ended::Outcome(outcome))) =
                    hear(None, &String::from_utf8_lossy(&changed), 1_000)
                {
                    assert_eq!(outcome["version"], 1);
                    assert!(outcome["status"] != "ok" || outcome["exit_code"] == 0, "{outcome}");
                }
            }
        }
    }
}
