//! What runs in a guest before the program: files of Python and JavaScript. They start after every barrier is up, hold
//! no privilege, and what they leave is as hostile as anything the program leaves.

use opencode_core::sandbox::{Encoding, Execution, File};

/// Runs a program, keeps the value of its last expression and its plots.
pub const PYTHON: &str = include_str!("python.py");
/// Keeps plots; compiled only where a program has drawn some.
pub const PLOTS: &str = include_str!("plots.py");
/// Runs JavaScript and TypeScript.
pub const NODE: &str = include_str!("node.cjs");

/// The code for `python -c`: with the harness as it is, or for one that comes compiled as the first that is fed.
pub fn start(compiled: &[u8]) -> String {
    match compiled.len() {
        0 => PYTHON.to_owned(),
        length => format!(
            "import marshal,posix\nb=b''\nwhile len(b)<{length}:b+=posix.read(3,{length}-len(b)) or exit(1)\n\
             exec(marshal.loads(b))"
        ),
    }
}

/// A run that compiles the harness into a file `compiled`, for the Python that this sandbox has: compiling it for each
/// run took a millisecond. It is also the first proof that a program really runs here.
pub fn compile() -> Execution {
    let code = "import marshal\ncode = compile(open('harness').read(), '<string>', 'exec', dont_inherit=True)\n\
                open('compiled', 'wb').write(marshal.dumps(code))";
    let mut execution = Execution::of("python", code);
    execution.files.push(File { name: "harness".into(), content: PYTHON.into(), encoding: Encoding::Utf8 });
    execution
}

/// What a harness reads: fields, none of which can hold the NUL that stands between them.
pub fn feed<'a>(
    program: &str,
    args: &[String],
    env: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Vec<u8> {
    let count = args.len().to_string();
    let variables = env.into_iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    let fields: Vec<&str> =
        [program, &count].into_iter().chain(args.iter().map(String::as_str)).chain(variables).collect();
    fields.join("\0").into_bytes()
}
