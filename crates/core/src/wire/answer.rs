//! A whole answer, gathered from its events: what surfaces that do not stream write.

use super::conversation::Seal;
use super::event::{Event, Finish, Run, ToolDelta, Usage};
use super::omitted::Omitted;

/// The most bytes of one answer's text, thinking and arguments that are kept, each block with [`BLOCK`] more.
pub const MAX_KEPT: usize = 1024 * 1024;
/// What keeping a block takes beside its text: its id, its type, the JSON around it.
const BLOCK: usize = 256;

/// The longest name of a model that is taken from a provider, in bytes: every piece of an answer repeats it.
const MAX_MODEL: usize = 256;

/// What an answer is written under.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// 26 characters, without any dialect's prefix.
    pub id: String,
    /// The model as the caller is told it: what it asked for, until it is known who answers.
    pub model: String,
    /// Unix seconds.
    pub created: u64,
    /// Input tokens as they were estimated, for dialects that name them before they are known.
    pub input_estimate: u64,
    /// Whether an OpenAI caller asked for the usage frame.
    pub include_usage: bool,
    /// Members of the caller's request that its dialect repeats in the answer (Responses).
    pub echo: super::json::Members,
}

impl Head {
    /// Takes the provider's name of the model that answers, if it gives one.
    pub fn name(&mut self, model: &str) {
        if !model.is_empty() && model.len() <= MAX_MODEL {
            model.clone_into(&mut self.model);
        }
    }
}

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// As its provider names the model; empty where it does not.
    pub model: String,
    /// In order.
    pub blocks: Vec<Block>,
    /// Why it ended.
    pub finish: Option<Finish>,
    /// The last that was reported.
    pub usage: Usage,
    /// What it has beside its blocks.
    pub omitted: Omitted,
    extent: Extent,
}

/// How much would have to be kept of an answer, to write it whole or to repeat it at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Extent {
    size: usize,
    last: Option<Kind>,
    calls: u32,
}

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Text,
    Refusal,
    Thinking,
    Sealed,
    Tool,
    Run,
}

/// A piece of a whole answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Text.
    Text(String),
    /// A refusal that the model phrased.
    Refusal(String),
    /// Visible reasoning, its seal, or both.
    Thinking {
        /// May be empty.
        text: String,
        /// What lets its provider trust it.
        seal: Option<Seal>,
    },
    /// A call with all its arguments.
    Tool(ToolDelta),
    /// Code that the platform ran.
    Run(Box<Run>),
}

impl Answer {
    /// Adds an event. What goes beyond [`MAX_KEPT`] is left out.
    pub fn add(&mut self, event: &Event) {
        let fits = self.extent.add(event);
        match event {
            Event::Finish(finish) => self.finish = Some(*finish),
            Event::Usage(usage) => self.usage = *usage,
            Event::Other(other) => self.omitted.add(other),
            Event::Start { model, .. } => self.model.clone_from(model),
            _ if !fits => {}
            Event::Tool(piece) => self.tool(piece),
            Event::Run(run) => match self.blocks.last_mut() {
                Some(Block::Run(last)) if last.number == run.number => last.clone_from(run),
                _ => self.blocks.push(Block::Run(run.clone())),
            },
            Event::Text(text) => match self.blocks.last_mut() {
                Some(Block::Text(last)) => last.push_str(text),
                _ => self.blocks.push(Block::Text(text.clone())),
            },
            Event::Refusal(text) => match self.blocks.last_mut() {
                Some(Block::Refusal(last)) => last.push_str(text),
                _ => self.blocks.push(Block::Refusal(text.clone())),
            },
            Event::Thinking(text) => match self.blocks.last_mut() {
                Some(Block::Thinking { text: last, seal: None }) => last.push_str(text),
                _ => self.blocks.push(Block::Thinking { text: text.clone(), seal: None }),
            },
            Event::Sealed(seal) => match self.blocks.last_mut() {
                Some(Block::Thinking { seal: last @ None, .. }) if !seal.hidden => *last = Some(seal.clone()),
                _ => self.blocks.push(Block::Thinking { text: String::new(), seal: Some(seal.clone()) }),
            },
            Event::Failed { .. } | Event::End | Event::Unreadable => {}
        }
    }

    /// Measures an event whose words are not kept.
    pub fn measure(&mut self, event: &Event) {
        self.extent.add(event);
    }

    /// Whether it went beyond [`MAX_KEPT`].
    pub fn is_cut(&self) -> bool {
        !self.extent.fits()
    }

    fn tool(&mut self, piece: &ToolDelta) {
        let begun = self.blocks.iter_mut().rev().find_map(|block| match block {
            Block::Tool(tool) if tool.index == piece.index => Some(tool),
            _ => None,
        });
        match begun {
            Some(tool) => tool.arguments.push_str(&piece.arguments),
            None => self.blocks.push(Block::Tool(piece.clone())),
        }
    }

    /// All its text.
    pub fn text(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            Block::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Whether nothing was left out and it is text alone, beside its thinking.
    pub fn has_only_text(&self) -> bool {
        let other = |block: &Block| matches!(block, Block::Refusal(_) | Block::Tool(_));
        !self.is_cut() && !self.blocks.iter().any(other)
    }

    /// The tools that it calls.
    pub fn tools(&self) -> impl Iterator<Item = &ToolDelta> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Tool(tool) => Some(tool),
            _ => None,
        })
    }
}

impl Extent {
    /// Counts an event, and says whether the answer still fits.
    pub fn add(&mut self, event: &Event) -> bool {
        let (kind, bytes) = match event {
            Event::Text(text) => (Kind::Text, text.len()),
            Event::Refusal(text) => (Kind::Refusal, text.len()),
            Event::Thinking(text) => (Kind::Thinking, text.len()),
            Event::Sealed(seal) => (Kind::Sealed, seal.value.len()),
            Event::Tool(tool) => {
                let seal = tool.seal.as_ref().map_or(0, |seal| seal.value.len().saturating_add(BLOCK));
                (Kind::Tool, tool.arguments.len().saturating_add(seal))
            }
            // What is said at its beginning is said again at its end.
            Event::Run(run) => (Kind::Run, if run.end.is_some() { run.size() } else { 0 }),
            _ => return self.fits(),
        };
        let begins = match event {
            // The pieces of several calls may come in turn.
            Event::Tool(tool) => tool.index >= self.calls,
            Event::Sealed(_) => true,
            _ => bytes > 0 && self.last != Some(kind),
        };
        if let Event::Tool(tool) = event {
            self.calls = self.calls.max(tool.index.saturating_add(1));
        }
        if begins {
            self.last = Some(kind);
            self.size = self.size.saturating_add(BLOCK);
        }
        self.size = self.size.saturating_add(bytes);
        self.fits()
    }

    /// Whether it is within [`MAX_KEPT`].
    pub fn fits(&self) -> bool {
        self.size <= MAX_KEPT
    }
}

/// What a caller is told of an answer that does not fit.
pub fn too_long() -> String {
    format!(
        "the answer is longer than the {MAX_KEPT} bytes that can be written again in the caller's dialect"
    )
}
