//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

/// What `--help` says.
pub const USAGE: &str = "\
OpenCode Platform, a self-hosted AI gateway

Usage: opencode [serve] [OPTIONS]
       opencode admin mint-key --tenant TENANT --id ID

serve starts the platform on this machine:
  --listen ADDRESS   where requests come in         [127.0.0.1:8787]
  --data FOLDER      where everything is kept       [.opencode]
  --config FILE      the configuration, as TOML     [text of $OPENCODE_CONFIG, or none]
  --tick-ms N        milliseconds between sweeps    [60000]

Without targets in the configuration it asks those that it finds in the environment: OPENAI_API_KEY,
ANTHROPIC_API_KEY, GEMINI_API_KEY, OLLAMA_HOST. Without keys in it, it makes one for development.
OPENCODE_SECRET is what keys are hashed with; without it one is made and kept in the data folder.
RUST_LOG sets what is logged (to stderr; as JSON where that is no terminal).

admin mint-key makes an API key and prints it with the row that lets it in. It needs OPENCODE_SECRET.
";

/// What was asked for.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Start the platform.
    Serve(Serve),
    /// Make an API key.
    MintKey {
        /// Whose.
        tenant: String,
        /// Its id.
        id: String,
    },
    /// Print [`USAGE`].
    Help,
    /// Print the version.
    Version,
}

/// The options of `serve`.
#[derive(Debug, PartialEq)]
pub struct Serve {
    pub listen: SocketAddr,
    pub data: PathBuf,
    pub config: Option<PathBuf>,
    pub tick: Duration,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            data: PathBuf::from(".opencode"),
            config: None,
            tick: Duration::from_secs(60),
        }
    }
}

/// Reads the arguments. The error is one line.
pub fn parse(parser: Parser) -> Result<Command, String> {
    read(parser).map_err(|error| error.to_string().replace('\n', " "))
}

fn read(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let mut words = Vec::new();
    let mut serve = Serve::default();
    let (mut tenant, mut id) = (None, None);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("listen") => serve.listen = parser.value()?.parse()?,
            Arg::Long("data") => serve.data = parser.value()?.into(),
            Arg::Long("config") => serve.config = Some(parser.value()?.into()),
            Arg::Long("tick-ms") => {
                serve.tick = Duration::from_millis(parser.value()?.parse::<u64>()?.max(1))
            }
            Arg::Long("tenant") => tenant = Some(parser.value()?.string()?),
            Arg::Long("id") => id = Some(parser.value()?.string()?),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("version") | Arg::Short('V') => return Ok(Command::Version),
            Arg::Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match (words.as_slice(), tenant, id) {
        ([] | ["serve"], None, None) => Ok(Command::Serve(serve)),
        (["admin", "mint-key"], Some(tenant), Some(id)) if serve == Serve::default() => {
            Ok(Command::MintKey { tenant, id })
        }
        (["admin", "mint-key"], _, _) => {
            Err("admin mint-key takes --tenant and --id, both and nothing else".into())
        }
        ([] | ["serve"], _, _) => Err("serve takes no --tenant and no --id".into()),
        (words, _, _) => Err(format!("there is no command {:?}", words.join(" ")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn serve_is_the_default_and_takes_its_options() {
        assert_eq!(parsed(""), Ok(Command::Serve(Serve::default())));
        let Ok(Command::Serve(serve)) = parsed("serve --listen 0.0.0.0:1 --data d --config=c --tick-ms 5")
        else {
            panic!("these options are known")
        };
        assert_eq!(serve.listen, SocketAddr::from(([0, 0, 0, 0], 1)));
        assert_eq!((serve.data, serve.config), (PathBuf::from("d"), Some(PathBuf::from("c"))));
        assert_eq!(serve.tick, Duration::from_millis(5));
    }

    #[test]
    fn what_is_unknown_is_refused_in_one_line() {
        for line in
            ["sing", "--loud", "--listen nowhere", "--tick-ms -1", "admin mint-key --id x", "serve --id x"]
        {
            let why = parsed(line).expect_err(line);
            assert!(!why.is_empty() && !why.contains('\n'), "{why}");
        }
    }
}
