//! Modes as programs of steps: data in, data out. A program says what to ask next; two runtimes run it, one inside
//! the request, one with a checkpoint after each step.
//!
//! A later mode adds its file, an arm of [`Program`], and, if it searches, reads or executes, an arm of [`Op`].

pub mod code;
mod interpreter;
mod thinking;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::code::Code as Coding;
pub use self::interpreter::{Files, Interpreter};
pub use self::thinking::Thinking;
use crate::error::Error;
use crate::wire::Dialect;
use crate::wire::continuation;
use crate::wire::event::Event;
use crate::wire::json::Members;
use crate::wire::prompt::{Plain, Prompt, Turn};

/// A mode in the middle of its work; versioned by its variants' names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// One ask.
    Chat(Chat),
    /// Several asks, each building on all before it.
    Thinking(Thinking),
    /// A program is written, run, mended and answered from.
    Code(Coding),
    /// A caller's request, answered with the help of code that the model has run. Only inside a request: it has no
    /// checkpoint.
    #[serde(skip)]
    Interpreter(Box<Interpreter>),
}

/// What a program does next.
#[derive(Debug)]
pub enum Next {
    /// All of these, at once where the runtime can.
    All(Vec<Op>),
    /// Nothing: the last outcome shown as the answer is the result.
    Done,
    /// It cannot go on.
    Failed(Error),
}

/// One operation.
#[derive(Debug)]
pub enum Op {
    /// A question to a model.
    Ask {
        /// Unique in the program: the step's name.
        id: &'static str,
        /// The question.
        prompt: Prompt,
        /// Where its tokens go.
        show: Show,
    },
    /// A program for the sandbox.
    Execute {
        /// The step's name.
        id: &'static str,
        /// The program.
        code: Code,
    },
}

/// A program for the sandbox, and what it may use beside the tenant's limits.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// A language's name.
    pub language: String,
    /// Its text.
    pub text: String,
    /// Whose files it takes up and leaves.
    pub session: Option<String>,
    /// The memory that the caller asked for, in bytes.
    pub memory: Option<u64>,
    /// The most bytes of files that it may hand back.
    pub files_bytes: Option<u64>,
}

/// Where an operation's tokens go. Exactly one operation of a program shows `Answer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// They are the caller's answer.
    Answer,
    /// Only the program sees them.
    Hidden,
}

impl Program {
    /// The mode's name.
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Chat(chat) if matches!(chat.prompt, Prompt::Embeddings(_)) => "embeddings",
            Self::Chat(_) | Self::Interpreter(_) => "chat",
            Self::Thinking(_) => "thinking",
            Self::Code(_) => "code",
        }
    }

    /// What to do, given the state.
    pub fn next(&self) -> Next {
        match self {
            Self::Chat(chat) => chat.next(),
            Self::Thinking(thinking) => thinking.next(),
            Self::Code(code) => code.next(),
            Self::Interpreter(interpreter) => interpreter.next(),
        }
    }

    /// Takes the outcome of an operation of the last `next`.
    pub fn absorb(&mut self, op: &str, text: String) {
        match self {
            Self::Chat(chat) => chat.done = true,
            Self::Thinking(thinking) => thinking.absorb(op, text),
            Self::Code(code) => code.absorb(op, &text),
            Self::Interpreter(interpreter) => interpreter.absorb(),
        }
    }

    /// Takes the outcome of an execution of the last `next`. Gives back the error of one that the program cannot do
    /// without.
    pub fn ran(&mut self, outcome: Result<Value, Error>) -> Result<(), Error> {
        match self {
            Self::Interpreter(interpreter) => interpreter.ran(outcome),
            Self::Code(code) => code.ran(outcome?),
            Self::Chat(_) | Self::Thinking(_) => {}
        }
        Ok(())
    }

    /// What of these events of the answer the caller is told; the rest is the program's own.
    pub fn hear(&mut self, spoken: Dialect, events: Vec<Event>) -> Vec<Event> {
        match self {
            Self::Interpreter(interpreter) => interpreter.hear(spoken, events),
            Self::Chat(_) | Self::Thinking(_) | Self::Code(_) => events,
        }
    }

    /// Whether the caller is told of its runs as steps; otherwise they are parts of the answer.
    pub fn tells_runs(&self) -> bool {
        !matches!(self, Self::Interpreter(_))
    }

    /// What the program itself adds to the answer.
    pub fn say(&mut self) -> Vec<Event> {
        match self {
            Self::Interpreter(interpreter) => interpreter.say(),
            Self::Chat(_) | Self::Thinking(_) | Self::Code(_) => Vec::new(),
        }
    }

    /// What it has made beside the answer's text: members of the result.
    pub fn made(&self) -> Option<Value> {
        match self {
            Self::Chat(_) | Self::Thinking(_) | Self::Interpreter(_) => None,
            Self::Code(code) => code.made(),
        }
    }

    /// Whether its answer can be continued by another target when it breaks off. The steps of a mode ask for plain text.
    pub fn can_be_continued(&self) -> bool {
        match self {
            Self::Chat(chat) => continuation::of(&chat.prompt).is_some(),
            Self::Thinking(_) | Self::Code(_) => true,
            Self::Interpreter(_) => false,
        }
    }

    /// How many asks are left at most, with the largest prompt's estimated tokens: for the hold.
    pub fn asks_left(&self) -> u64 {
        match self {
            Self::Chat(chat) => u64::from(!chat.done),
            Self::Thinking(thinking) => thinking.asks_left(),
            Self::Code(code) => code.asks_left(),
            Self::Interpreter(interpreter) => interpreter.asks_left(),
        }
    }

    /// A bound on the input tokens of one ask.
    pub fn input_bound(&self) -> u64 {
        match self {
            Self::Chat(chat) => chat.prompt.estimated_input(),
            Self::Thinking(thinking) => thinking.input_bound(),
            Self::Code(code) => code.input_bound(),
            Self::Interpreter(interpreter) => interpreter.input_bound(),
        }
    }

    /// The most output tokens of one ask, where the caller said so.
    pub fn max_output(&self) -> Option<u64> {
        match self {
            Self::Chat(chat) => chat.prompt.max_output(),
            Self::Thinking(thinking) => thinking.max_output(),
            Self::Code(code) => code.max_output(),
            Self::Interpreter(interpreter) => interpreter.max_output(),
        }
    }
}

impl Program {
    /// Gives its asks a bound on their output, where the caller named none: what a budget has reserved must not be
    /// exceeded.
    pub fn bound_output(&mut self, bound: u64) {
        match self {
            Self::Chat(chat) => chat.prompt.bound_output(bound),
            Self::Thinking(thinking) => thinking.bound_output(bound),
            Self::Code(code) => code.bound_output(bound),
            Self::Interpreter(interpreter) => interpreter.bound_output(bound),
        }
    }
}

/// One ask, answered as it comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Chat {
    /// The question.
    pub prompt: Prompt,
    done: bool,
}

impl Chat {
    /// A caller's own request, passed on.
    pub fn of(prompt: Prompt) -> Self {
        Self { prompt, done: false }
    }

    /// The platform's chat: a question under our system prompt.
    pub fn ask(query: &str, params: Members) -> Self {
        let messages = vec![Turn::system(CHAT), Turn::user(query)];
        Self::of(Prompt::Plain(Plain { messages, params }))
    }

    fn next(&self) -> Next {
        if self.done {
            return Next::Done;
        }
        Next::All(vec![Op::Ask { id: "answer", prompt: self.prompt.clone(), show: Show::Answer }])
    }
}

const CHAT: &str = "You answer questions for the users of this platform. Answer in the language of the question. \
    Be direct and correct; say so when you are not sure. Use Markdown only where structure helps.";
