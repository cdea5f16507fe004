//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};
use opencode_core::identity::role::Role;

/// What `--help` says.
pub const USAGE: &str = "\
OpenCode Platform, a self-hosted AI gateway

Usage: opencode [serve] [OPTIONS]
       opencode model --gguf FILE [--listen ADDRESS] [--name NAME]
       opencode sandbox [--listen ADDRESS]
       opencode admin mint-key --tenant TENANT --id ID [--role ROLE]
       opencode config check FILE
       opencode config import-flags FILE.yaml

serve starts the platform on this machine, with a small model of its own:
  --listen ADDRESS   where requests come in         [127.0.0.1:8787]
  --data FOLDER      where everything is kept       [.opencode]
  --config FILE      the configuration, as TOML     [text of $OPENCODE_CONFIG, or none]
  --tier NAME        a model to fetch and serve: small (SmolLM2 135M, the default) or strong (Gemma 3 270M);
                     may be given twice
  --model FILE.gguf  a model of yours to serve instead
  --no-model         serve no model here
  --no-sandbox       run no code here
  --tick-ms N        milliseconds between sweeps    [60000]

Where the configuration names no [[targets]], those that the environment names are asked first: OPENAI_API_KEY,
ANTHROPIC_API_KEY, GEMINI_API_KEY, OLLAMA_HOST. Where it names some, no model is served here unless --tier or --model
asks for one. Without [[keys]] a key is made for development. Code runs in a sandbox on this machine, where it can be
had, unless the configuration names another in [sandbox].
OPENCODE_SECRET is what keys are hashed and tokens signed with; without it one is made and kept in the data folder.
RUST_LOG sets what is logged (to stderr; as JSON where that is no terminal).

model serves a GGUF model (Llama or Gemma 3) in the OpenAI dialect on 127.0.0.1.
sandbox runs code behind AWS Lambda's Invoke on 127.0.0.1 and prints, as JSON, where and what to sign with. What it
takes as OPENCODE_SANDBOX_… in the environment is in the README.
admin mint-key makes an API key and prints it with the row that lets it in. It needs OPENCODE_SECRET. ROLE is
readonly, user, admin or operator.
config check says what is wrong with a configuration. config import-flags reads the cognitive_features.yaml of
openagent_backend, prints the flags that mean something here as [features], and names the others on stderr.
";

/// What was asked for.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Start the platform.
    Serve(Serve),
    /// Serve a model.
    Model(Model),
    /// Run code.
    Sandbox(Sandbox),
    /// Make an API key.
    MintKey {
        /// Whose.
        tenant: String,
        /// Its id.
        id: String,
        /// What it may do.
        role: Role,
    },
    /// Check a configuration.
    CheckConfig(PathBuf),
    /// Translate the original's flags.
    ImportFlags(PathBuf),
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
    pub models: Models,
    pub no_sandbox: bool,
}

/// Which models are served on this machine.
#[derive(Debug, Default, PartialEq)]
pub struct Models {
    pub tiers: Vec<String>,
    pub file: Option<PathBuf>,
    pub none: bool,
}

/// The options of `model`.
#[derive(Debug, PartialEq)]
pub struct Model {
    pub gguf: PathBuf,
    pub listen: SocketAddr,
    pub name: Option<String>,
    /// End when stdin does: for a parent that may be killed.
    pub child: bool,
}

/// The options of `sandbox`.
#[derive(Debug, PartialEq)]
pub struct Sandbox {
    pub listen: SocketAddr,
    /// End when stdin does: for a parent that may be killed.
    pub child: bool,
    /// Be one environment: what the sandbox starts.
    pub environment: bool,
    pub environments: Option<usize>,
    pub waiters: Option<usize>,
    pub idle: Option<Duration>,
    pub longest: Option<Duration>,
    /// End an environment after every run.
    pub recycle: bool,
    pub folder: Option<PathBuf>,
    /// A command that starts environments.
    pub wrapper: Vec<OsString>,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            data: PathBuf::from(".opencode"),
            config: None,
            tick: Duration::from_secs(60),
            models: Models::default(),
            no_sandbox: false,
        }
    }
}

/// Reads the arguments. The error is one line.
pub fn parse(parser: Parser) -> Result<Command, String> {
    read(parser).map_err(|error| error.to_string().replace('\n', " "))
}

fn read(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let given = match parser.next()? {
        None => return Ok(Command::Serve(Serve::default())),
        Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Command::Help),
        Some(Arg::Long("version") | Arg::Short('V')) => return Ok(Command::Version),
        Some(Arg::Long(name)) => Some(name.to_owned()),
        Some(Arg::Value(word)) => match word.string()?.as_str() {
            "serve" => None,
            "model" => return model(&mut parser),
            "sandbox" => return sandbox(&mut parser),
            "admin" => return admin(&mut parser),
            "config" => return config(&mut parser),
            word => return Err(format!("there is no command {word:?}").into()),
        },
        Some(other) => return Err(other.unexpected()),
    };
    serve(&mut parser, given)
}

/// `given` is an option that was read to find out that the command was left out.
fn serve(parser: &mut Parser, given: Option<String>) -> Result<Command, lexopt::Error> {
    let mut serve = Serve::default();
    let mut next = given;
    loop {
        let name = match next.take() {
            Some(name) => name,
            None => match parser.next()? {
                None => break,
                Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Command::Help),
                Some(Arg::Long(name)) => name.to_owned(),
                Some(other) => return Err(other.unexpected()),
            },
        };
        match name.as_str() {
            "listen" => serve.listen = parser.value()?.parse()?,
            "data" => serve.data = parser.value()?.into(),
            "config" => serve.config = Some(parser.value()?.into()),
            "tier" => serve.models.tiers.push(parser.value()?.string()?),
            "model" => serve.models.file = Some(parser.value()?.into()),
            "no-model" => serve.models.none = true,
            "no-sandbox" => serve.no_sandbox = true,
            "tick-ms" => serve.tick = Duration::from_millis(parser.value()?.parse::<u64>()?.max(1)),
            name => return Err(format!("serve has no option --{name}").into()),
        }
    }
    let asked = serve.models.file.is_some() || !serve.models.tiers.is_empty();
    if serve.models.none && asked {
        return Err("--no-model goes with neither --model nor --tier".into());
    }
    Ok(Command::Serve(serve))
}

fn model(parser: &mut Parser) -> Result<Command, lexopt::Error> {
    let (mut gguf, mut name, mut child) = (None, None, false);
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 0));
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("gguf") => gguf = Some(parser.value()?.into()),
            Arg::Long("listen") => listen = parser.value()?.parse()?,
            Arg::Long("name") => name = Some(parser.value()?.string()?),
            Arg::Long("child") => child = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    let gguf = gguf.ok_or("model needs --gguf FILE")?;
    Ok(Command::Model(Model { gguf, listen, name, child }))
}

/// The options that USAGE does not name are for tests and for whoever starts it by hand.
fn sandbox(parser: &mut Parser) -> Result<Command, lexopt::Error> {
    let mut sandbox = Sandbox {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        child: false,
        environment: false,
        environments: None,
        waiters: None,
        idle: None,
        longest: None,
        recycle: false,
        folder: None,
        wrapper: Vec::new(),
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("listen") => sandbox.listen = parser.value()?.parse()?,
            Arg::Long("child") => sandbox.child = true,
            Arg::Long("environment") => sandbox.environment = true,
            Arg::Long("environments") => sandbox.environments = Some(parser.value()?.parse()?),
            Arg::Long("waiters") => sandbox.waiters = Some(parser.value()?.parse()?),
            Arg::Long("idle-ms") => sandbox.idle = Some(Duration::from_millis(parser.value()?.parse()?)),
            Arg::Long("longest-ms") => {
                sandbox.longest = Some(Duration::from_millis(parser.value()?.parse()?))
            }
            Arg::Long("recycle") => sandbox.recycle = true,
            Arg::Long("folder") => sandbox.folder = Some(parser.value()?.into()),
            Arg::Long("wrapper") => sandbox.wrapper.push(parser.value()?),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Command::Sandbox(sandbox))
}

fn admin(parser: &mut Parser) -> Result<Command, lexopt::Error> {
    let (mut tenant, mut id, mut role, mut word) = (None, None, Role::default(), None);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("tenant") => tenant = Some(parser.value()?.string()?),
            Arg::Long("id") => id = Some(parser.value()?.string()?),
            Arg::Long("role") => role = parser.value()?.parse_with(role_named)?,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Value(value) if word.is_none() => word = Some(value.string()?),
            other => return Err(other.unexpected()),
        }
    }
    match (word.as_deref(), tenant, id) {
        (Some("mint-key"), Some(tenant), Some(id)) => Ok(Command::MintKey { tenant, id, role }),
        (Some("mint-key"), _, _) => Err("admin mint-key needs --tenant and --id".into()),
        _ => Err("admin has one command: mint-key".into()),
    }
}

fn role_named(name: &str) -> Result<Role, &'static str> {
    let roles = [Role::Readonly, Role::User, Role::Admin, Role::Operator];
    let role = roles.into_iter().find(|role| role.as_str() == name);
    role.ok_or("it must be readonly, user, admin or operator")
}

fn config(parser: &mut Parser) -> Result<Command, lexopt::Error> {
    let mut words = Vec::new();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Value(word) => words.push(word),
            other => return Err(other.unexpected()),
        }
    }
    let names: Vec<_> = words.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    match (names.as_slice(), words.get(1)) {
        (["check", _], Some(file)) => Ok(Command::CheckConfig(file.into())),
        (["import-flags", _], Some(file)) => Ok(Command::ImportFlags(file.into())),
        _ => Err("config has two commands: check FILE and import-flags FILE.yaml".into()),
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
        assert_eq!(parsed("serve"), Ok(Command::Serve(Serve::default())));
        let line = "--listen 0.0.0.0:1 --data d --config=c --tick-ms 5 --tier small --tier strong";
        let Ok(Command::Serve(serve)) = parsed(line) else { panic!("these options are known") };
        assert_eq!(serve.listen, SocketAddr::from(([0, 0, 0, 0], 1)));
        assert_eq!((serve.data, serve.config), (PathBuf::from("d"), Some(PathBuf::from("c"))));
        assert_eq!((serve.tick, serve.models.tiers.len()), (Duration::from_millis(5), 2));
        assert!(matches!(parsed("serve --model m.gguf"), Ok(Command::Serve(_))));
    }

    #[test]
    fn the_other_commands_take_theirs() {
        assert!(matches!(parsed("model --gguf m.gguf --listen 127.0.0.1:9"), Ok(Command::Model(_))));
        let sandbox = parsed("sandbox --listen 127.0.0.1:9 --wrapper a --wrapper -b --idle-ms 5");
        assert!(matches!(sandbox, Ok(Command::Sandbox(sandbox)) if sandbox.wrapper == ["a", "-b"]));
        let key = parsed("admin mint-key --tenant t --id i --role admin");
        assert!(matches!(key, Ok(Command::MintKey { role: Role::Admin, .. })), "{key:?}");
        assert_eq!(parsed("config check f"), Ok(Command::CheckConfig(PathBuf::from("f"))));
        assert_eq!(parsed("config import-flags f"), Ok(Command::ImportFlags(PathBuf::from("f"))));
        assert_eq!(parsed("model --help"), Ok(Command::Help));
    }

    #[test]
    fn what_is_unknown_is_refused_in_one_line() {
        for line in [
            "sing",
            "--loud",
            "--listen nowhere",
            "--tick-ms -1",
            "--no-model --tier small",
            "admin",
            "admin mint-key --id x",
            "admin mint-key --tenant t --id x --role king",
            "serve --id x",
            "serve again",
            "model",
            "sandbox again",
            "config check",
            "config sing f",
        ] {
            let why = parsed(line).expect_err(line);
            assert!(!why.is_empty() && !why.contains('\n'), "{why}");
        }
    }
}
