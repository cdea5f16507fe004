//! What runs in a guest before the program: files of Python and JavaScript. They start after every barrier is up, hold
//! no privilege, and what they leave is as hostile as anything the program leaves.

/// Runs a program, keeps the value of its last expression and its plots.
pub const PYTHON: &str = include_str!("python.py");
/// Keeps plots; compiled only where a program has drawn some.
pub const PLOTS: &str = include_str!("plots.py");
/// Runs JavaScript and TypeScript.
pub const NODE: &str = include_str!("node.cjs");

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
