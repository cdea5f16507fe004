//! The bootstrap of the sandbox's Lambda function.

fn main() {}
