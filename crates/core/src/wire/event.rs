//! The neutral, closed event stream in the middle: what any dialect's stream says.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::builtin::Function;
use super::conversation::Seal;
use super::refusal::Class;

/// One thing that an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The provider has begun; not content.
    Start {
        /// The provider's id of the answer.
        id: String,
        /// The model as the provider names it.
        model: String,
    },
    /// A piece of the answer.
    Text(String),
    /// A piece of visible reasoning.
    Thinking(String),
    /// What ends the thinking before it, or stands for thinking that is not shown: to be sent back with the next turn.
    Sealed(Seal),
    /// A piece of a refusal that the model phrased.
    Refusal(String),
    /// A piece of a tool call.
    Tool(ToolDelta),
    /// Code that the platform runs for the model: when it begins, and again with what came of it.
    Run(Box<Run>),
    /// What these events do not name: a caller of the same dialect gets it, any other is told that it is left out.
    Other(Other),
    /// Why the answer ended: said by the provider, never made up.
    Finish(Finish),
    /// Token counts; the last one counts.
    Usage(Usage),
    /// The provider reports a failure inside the stream.
    Failed {
        /// For a person.
        message: String,
        /// The provider's code or type, where it gave one.
        code: Option<String>,
        /// What it comes down to: whether another target may help.
        class: Class,
    },
    /// The dialect's own terminator, for example `[DONE]`.
    End,
    /// A frame that cannot be read. It is dropped, counted, and the stream goes on.
    Unreadable,
}

impl Event {
    /// Whether the caller's answer has begun with this: the commit point. A genuine finish counts, so that an
    /// empty answer is an answer.
    pub fn is_content(&self) -> bool {
        match self {
            Self::Text(text) | Self::Thinking(text) | Self::Refusal(text) => !text.is_empty(),
            Self::Tool(_) | Self::Run(_) | Self::Sealed(_) | Self::Finish(_) => true,
            Self::Other(other) => other.is_content,
            Self::Start { .. } | Self::Usage(_) | Self::Failed { .. } | Self::End | Self::Unreadable => false,
        }
    }

    /// Content of a kind that has no event of its own, of this many bytes.
    pub fn other(what: &str, bytes: usize) -> Self {
        Self::Other(Other { what: name(what), count: 1, bytes, is_content: true })
    }

    /// A further piece of such content.
    pub fn piece(what: &str, bytes: usize) -> Self {
        Self::Other(Other { what: name(what), count: 0, bytes, is_content: true })
    }

    /// What is said about content: a citation, what it is grounded on.
    pub fn about(what: &str, bytes: usize) -> Self {
        Self::Other(Other { what: name(what), count: 1, bytes, is_content: false })
    }
}

/// What the neutral events do not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// The provider's name of it: ASCII letters, digits, `_`, `-` and `.`, at most [`MAX_NAME`].
    pub what: String,
    /// How many; 0 for a further piece of one.
    pub count: u32,
    /// The size of its JSON or its text.
    pub bytes: usize,
    /// Whether it is content; otherwise it is about content.
    pub is_content: bool,
}

/// The longest name of what the neutral events do not name, in bytes.
const MAX_NAME: usize = 64;

/// A provider's word as a name that can stand anywhere.
fn name(what: &str) -> String {
    let plain = |char: char| {
        let fits = char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
        if fits { char } else { '_' }
    };
    let what = if what.is_empty() { "unnamed" } else { what };
    what.chars().take(MAX_NAME).map(plain).collect()
}

/// A piece of a tool call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolDelta {
    /// Joins the pieces of one call.
    pub index: u32,
    /// With the first piece.
    pub id: Option<String>,
    /// With the first piece.
    pub name: Option<String>,
    /// A fragment of the arguments' JSON. All fragments of a call together are an object's text; of one without
    /// arguments they may be empty.
    pub arguments: String,
    /// With the first piece: Gemini's `thoughtSignature`.
    pub seal: Option<Seal>,
    /// With the first piece: whether it is a call of a custom tool, whose input stands in the arguments as
    /// [`super::custom`] says.
    pub custom: bool,
}

/// Code that the platform runs for the model, by a tool that the caller's dialect has ([`super::builtin`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its place among the runs of the answer, from 0.
    pub number: u32,
    /// What the model called.
    pub function: &'static Function,
    /// As the model wrote it.
    pub code: String,
    /// Whose files it took up and left.
    pub container: Container,
    /// What came of it; `None` while it runs.
    pub end: Option<RunEnd>,
}

/// A session's files, as providers name such a thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub id: String,
    /// Until when its files are kept, in Unix seconds; 0 where nothing is kept.
    pub expires: u64,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunEnd {
    /// What it printed, and the value of its last expression.
    pub stdout: String,
    /// What it printed as errors, and why it ended where that was not by itself.
    pub stderr: String,
    /// Its exit code; -1 where it did not end by itself.
    pub exit_code: i64,
    /// New and changed files, and plots.
    pub files: Vec<RunFile>,
    /// Why it was not run at all.
    pub refused: Option<String>,
}

/// A file that a run left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFile {
    /// With its folders.
    pub name: String,
    /// What its bytes show it to be, `image/png` for example.
    pub media: String,
    /// Its size.
    pub bytes: u64,
    /// It itself; `None` where it was larger than what is handed back.
    pub base64: Option<String>,
}

impl RunFile {
    /// As it stands in an answer, where the dialect has no place for it.
    pub fn shown(&self) -> Value {
        json!({"name": self.name, "type": self.media, "bytes": self.bytes, "content": self.base64})
    }
}

impl Run {
    /// About how many bytes it takes in an answer.
    pub fn size(&self) -> usize {
        let end = self.end.as_ref().map_or(0, |end| {
            let files = end.files.iter().map(|file| {
                let content = file.base64.as_ref().map_or(0, String::len);
                content.saturating_add(file.name.len()).saturating_add(128)
            });
            let said = end.stdout.len().saturating_add(end.stderr.len());
            files.fold(said, usize::saturating_add)
        });
        end.saturating_add(self.code.len())
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model was done.
    Stop,
    /// A bound on tokens was met.
    Length,
    /// The model wants tools called.
    ToolCalls,
    /// The provider withheld the rest.
    ContentFilter,
    /// The provider wants to be asked to go on (Anthropic's `pause_turn`); other dialects have no such reason.
    Paused,
}

/// Token counts of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// The part of `input` that the provider read from its cache.
    pub cached: u64,
    /// The part of `output` that was reasoning.
    pub reasoning: u64,
    /// The part of `input` that the provider wrote to its cache, which may cost more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write: u64,
}

impl Usage {
    /// The sum of two attempts.
    pub fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cached: self.cached.saturating_add(other.cached),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            cache_write: self.cache_write.saturating_add(other.cache_write),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's `skip_serializing_if` hands out references.
fn is_zero(count: &u64) -> bool {
    *count == 0
}
