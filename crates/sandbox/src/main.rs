//! The bootstrap of the sandbox's Lambda function.

use std::process::ExitCode;

fn main() -> ExitCode {
    opencode_sandbox::serve::runtime::main()
}
