//! What a run says, and what it came to.

use serde_json::Value;

use crate::call::Ended;
use crate::error::Error;
use crate::wire::answer::Answer;
use crate::wire::event::Usage;
use crate::wire::{Dialect, Frame};

/// What a run says while it goes on.
pub enum Said {
    /// A hidden step begins or has ended.
    Progress {
        /// The step's name.
        step: &'static str,
        /// Whether it has ended.
        done: bool,
    },
    /// Something that the answer is made of: a call of a tool, or what came of it.
    Event {
        /// `tool_call` or `source`.
        name: &'static str,
        /// What it is.
        data: Value,
    },
    /// The answer begins: nothing can fail over any more.
    Began(Began),
    /// The one who answered broke off, and another goes on: what follows is the rest.
    Continued(Box<Continued>),
    /// Frames of the answer.
    Frames(Vec<Frame>),
    /// The end. Everything is settled; nothing follows.
    Ended(Box<Final>),
}

/// Who answers.
#[derive(Clone, Debug, Default)]
pub struct Began {
    /// `provider/model`.
    pub target: String,
    /// What its frames are written in.
    pub dialect: Dialect,
    /// `target=unfit:member` of every target that could not be asked, then `target=fate` of every attempt before.
    pub tried: Vec<String>,
    /// Whether the answer comes from the cache.
    pub cached: bool,
    /// Round trips to stores so far.
    pub rounds: u32,
}

/// Who goes on after whom.
#[derive(Clone, Debug)]
pub struct Continued {
    /// `provider/model` that goes on.
    pub target: String,
    /// The one that broke off.
    pub broken: String,
    /// Why it did.
    pub error: Error,
    /// What it used.
    pub usage: Usage,
    /// Whether that is our count.
    pub estimated: bool,
}

/// What a run came to.
pub struct Final {
    /// How it ended.
    pub ended: Ended,
    /// The answer.
    pub answer: Answer,
    /// Tokens of the attempts that the answer is made of, over all asks: what a provider reports of it. The receipt has
    /// those of the others as well.
    pub usage: Usage,
    /// `target=unfit:member` of every target that could not be asked, then `target=fate` of every attempt, in order.
    pub tried: Vec<String>,
    /// What the run has made beside its answer's text: members of its result.
    pub made: Option<Value>,
}
