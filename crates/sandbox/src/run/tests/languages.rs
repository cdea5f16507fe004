//! What is particular to a language.

use opencode_core::sandbox::{Encoding, Execution, File, Outcome, Status};

use super::{printed, python, run, settings};

fn said(language: &str, code: &str) -> Outcome {
    let outcome = run(&Execution::of(language, code));
    assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
    outcome
}

#[test]
fn the_last_expression_is_the_result() {
    for (code, text, json) in [
        ("1 + 1", Some("2"), Some("2")),
        ("x = 3\nx * 2.5", Some("7.5"), Some("7.5")),
        ("'é'", Some("'é'"), Some(r#""\u00e9""#)),
        ("True", Some("True"), Some("true")),
        ("[1, {'a': None}]", Some("[1, {'a': None}]"), Some(r#"[1, {"a": null}]"#)),
        ("{1, 2}", Some("{1, 2}"), None),
        ("float('nan')", Some("nan"), None),
        ("print('x')", None, None),
        ("x = 1", None, None),
        ("", None, None),
        ("from __future__ import annotations\n7", Some("7"), Some("7")),
    ] {
        let outcome = python(code);
        assert_eq!(outcome.status, Status::Ok, "{code}: {}", outcome.stderr);
        let found = outcome
            .result
            .as_ref()
            .map(|shown| (shown.text.as_str(), shown.json.as_ref().map(|json| json.get())));
        assert_eq!(found, text.map(|text| (text, json)), "{code}");
    }
}

#[test]
fn functions_call_themselves_and_each_other() {
    let code = "def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 0 and even(n - 1)\n\
                print(even(10), [even(i) for i in range(3)])";
    assert_eq!(printed(code), "True [True, False, True]\n");
}

#[test]
fn python_is_itself() {
    assert_eq!(printed("import sys\nprint(__name__, sys.argv, __file__)"), "__main__ ['main.py'] main.py\n");
    assert_eq!(printed("print([n for n in globals() if not n.startswith('__')])"), "[]\n");
    let pool = "from multiprocessing import Process\ndef f():\n    print('child')\nif __name__ == '__main__':\n    p = Process(target=f)\n    p.start()\n    p.join()";
    assert_eq!(printed(pool), "child\n");
    let pickle = "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A)";
    assert_eq!(printed(pickle), "True\n");
    let fork = "import os\npid = os.fork()\nif pid: os.wait()\n5";
    assert_eq!(python(fork).result.map(|shown| shown.text), Some("5".to_owned()));
}

#[test]
fn arguments_and_variables_are_given() {
    for (language, code) in [
        ("python", "import sys, os\nprint(sys.argv[1:], os.environ['GREETING'])"),
        ("javascript", "console.log(JSON.stringify(process.argv.slice(2)), process.env.GREETING)"),
        ("bash", "echo \"$1\" \"$GREETING\""),
    ] {
        let mut execution = Execution::of(language, code);
        execution.args = vec!["a b".to_owned()];
        execution.env.insert("GREETING".to_owned(), "hé".to_owned());
        let outcome = run(&execution);
        assert!(outcome.stdout.contains("a b") && outcome.stdout.ends_with("hé\n"), "{outcome:?}");
    }
}

#[test]
fn the_environment_is_the_same_everywhere() {
    let code =
        "import os\nprint(sorted(os.environ))\nprint(os.environ['HOME'] == os.getcwd(), os.environ['TZ'])";
    let names = "['HOME', 'LANG', 'MPLBACKEND', 'MPLCONFIGDIR', 'NODE_DISABLE_COLORS', 'PATH', 'PWD', \
                 'PYTHONDONTWRITEBYTECODE', 'SHELL', 'TMPDIR', 'TZ', 'XDG_CACHE_HOME']";
    assert_eq!(printed(code), format!("{names}\nTrue UTC\n"));
}

#[test]
fn javascript_may_import_and_require() {
    for (code, expected) in [
        ("const fs = require('fs'); console.log(typeof fs.readFileSync)", "function\n"),
        ("import fs from 'node:fs'; console.log(typeof fs.readFileSync)", "function\n"),
        ("import fs from 'node:fs'; const os = require('os'); console.log(typeof os.tmpdir)", "function\n"),
        (
            "const { promisify } = require('util'); await promisify(setTimeout)(1); console.log('waited')",
            "waited\n",
        ),
        ("console.log(require('./helper').twice(2), (await import('./other.mjs')).three)", "4 3\n"),
        ("console.log(new Intl.NumberFormat('de').format(1234.5))", "1.234,5\n"),
        (
            "const wasm = new Uint8Array([0,97,115,109,1,0,0,0]); new WebAssembly.Module(wasm); \
             console.log(new WebAssembly.Memory({initial: 1}).buffer.byteLength)",
            "65536\n",
        ),
    ] {
        let mut execution = Execution::of("javascript", code);
        let file = |name: &str, content: &str| File {
            name: name.into(),
            content: content.into(),
            encoding: Encoding::Utf8,
        };
        execution.files = vec![
            file("helper.js", "exports.twice = (x) => 2 * x"),
            file("other.mjs", "export const three = 3"),
        ];
        let outcome = run(&execution);
        assert_eq!(
            (outcome.stdout.as_str(), outcome.exit_code),
            (expected, Some(0)),
            "{code}: {}",
            outcome.stderr
        );
        assert!(outcome.artifacts.is_empty());
    }
}

#[test]
fn javascript_that_throws_is_an_error() {
    let outcome = run(&Execution::of("js", "function f() {\n  throw new Error('no')\n}\nf()"));
    assert_eq!((outcome.status, outcome.exit_code), (Status::Error, Some(1)));
    assert!(
        outcome.stderr.contains("main.js:2") && outcome.stderr.contains("Error: no"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn typescript_runs_where_it_can() {
    let mut execution = Execution::of(
        "ts",
        "import { twice } from './helper';\nimport { readFileSync } from 'node:fs';\nenum Size { Big = 'big' }\n\
         interface A { x: number }\nconst a: A = { x: 4 };\nconsole.log(twice(a.x), Size.Big, typeof readFileSync);",
    );
    let helper = "export function twice(x: number): number { return 2 * x }";
    execution.files =
        vec![File { name: "helper.ts".into(), content: helper.into(), encoding: Encoding::Utf8 }];
    let outcome = run(&execution);
    if settings().esbuild.is_none() {
        assert!(outcome.message.unwrap().contains("esbuild"));
        return eprintln!("not run: no esbuild");
    }
    assert_eq!((outcome.stdout.as_str(), outcome.artifacts.len()), ("8 big function\n", 0), "{outcome:?}");
    let torn = run(&Execution::of("ts", "const a: = 4"));
    assert_eq!(torn.status, Status::Error);
    assert!(torn.stderr.contains("main.ts:1"), "{}", torn.stderr);
}

#[test]
fn bash_has_its_tools() {
    let outcome = said(
        "bash",
        "set -euo pipefail\necho 'b a' | tr ' ' '\\n' | sort\ndiff <(echo 1) <(echo 1) && cat <<< here\n[ -z \"${BASH_ENV:-}\" ]",
    );
    assert_eq!(outcome.stdout, "a\nb\nhere\n");
    let outcome = run(&Execution::of("sh", "echo x\nexit 3"));
    assert_eq!((outcome.status, outcome.exit_code), (Status::Error, Some(3)));
}

#[test]
fn a_language_that_is_missing_is_refused_by_name() {
    let mut without = settings();
    (without.node, without.esbuild) = (None, None);
    let mut sandbox = crate::run::Sandbox::new(without).unwrap();
    let (outcome, trust) = sandbox.run(&Execution::of("js", "1"), &mut |_| {});
    assert_eq!((outcome.status, trust), (Status::Error, crate::run::Trust::Clean));
    assert_eq!(outcome.message.as_deref(), Some("this sandbox has no Node.js"));
}

#[test]
fn plots_come_back_without_the_code_asking() {
    let code = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3], [2, 4, 8], label='growth')\nplt.title('T')\n\
                plt.xlabel('x')\nplt.ylabel('y')\nplt.show()\nplt.figure()\nplt.bar(['a', 'b'], [3, 5])";
    let outcome = python(code);
    if outcome.stderr.contains("No module named 'matplotlib'") {
        return eprintln!("not run: no matplotlib");
    }
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Status::Ok, ""));
    let plots: Vec<_> = outcome.artifacts.iter().filter(|artifact| artifact.plot).collect();
    let names: Vec<_> = plots.iter().map(|plot| (plot.name.as_str(), plot.media.as_str())).collect();
    assert_eq!(names, [("plot-1.png", "image/png"), ("plot-2.png", "image/png")]);
    let data: Vec<serde_json::Value> =
        plots.iter().map(|plot| serde_json::from_str(plot.data.as_ref().unwrap().get()).unwrap()).collect();
    let line = &data[0]["axes"][0];
    assert_eq!((&line["title"], &line["x_label"], &line["y_label"]), (&"T".into(), &"x".into(), &"y".into()));
    assert_eq!(
        line["series"][0],
        serde_json::json!({"kind": "line", "label": "growth", "x": [1, 2, 3], "y": [2, 4, 8]})
    );
    assert_eq!(data[1]["axes"][0]["series"][0]["y"], serde_json::json!([3, 5]));
}
