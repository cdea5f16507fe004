//! A whole answer, gathered from its events: what surfaces that do not stream write.

use super::conversation::Seal;
use super::event::{Event, Finish, ToolDelta, Usage};
use super::omitted::Omitted;

/// The most bytes of one answer's text, thinking and arguments that are kept.
pub const MAX_KEPT: usize = 1024 * 1024;
/// The most blocks of one answer that are kept.
const MAX_BLOCKS: usize = 512;

/// What an answer is written under.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// 26 characters, without any dialect's prefix.
    pub id: String,
    /// The model as the caller is told it.
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

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// In order.
    pub blocks: Vec<Block>,
    /// Why it ended.
    pub finish: Option<Finish>,
    /// The last that was reported.
    pub usage: Usage,
    /// What it has beside its blocks.
    pub omitted: Omitted,
    size: usize,
    cut: bool,
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
}

impl Answer {
    /// Adds an event. What goes beyond [`MAX_KEPT`] is left out.
    pub fn add(&mut self, event: &Event) {
        let grown = match event {
            Event::Text(text) | Event::Thinking(text) | Event::Refusal(text) => text.len(),
            Event::Tool(tool) => tool.arguments.len(),
            Event::Sealed(seal) => seal.value.len(),
            _ => 0,
        };
        if self.size.saturating_add(grown) > MAX_KEPT {
            self.cut = true;
            return;
        }
        self.size = self.size.saturating_add(grown);
        match event {
            Event::Finish(finish) => self.finish = Some(*finish),
            Event::Usage(usage) => self.usage = *usage,
            Event::Tool(piece) => self.tool(piece),
            Event::Text(text) => match self.blocks.last_mut() {
                Some(Block::Text(last)) => last.push_str(text),
                _ => self.push(Block::Text(text.clone())),
            },
            Event::Refusal(text) => match self.blocks.last_mut() {
                Some(Block::Refusal(last)) => last.push_str(text),
                _ => self.push(Block::Refusal(text.clone())),
            },
            Event::Thinking(text) => match self.blocks.last_mut() {
                Some(Block::Thinking { text: last, seal: None }) => last.push_str(text),
                _ => self.push(Block::Thinking { text: text.clone(), seal: None }),
            },
            Event::Sealed(seal) => match self.blocks.last_mut() {
                Some(Block::Thinking { seal: last @ None, .. }) if !seal.hidden => *last = Some(seal.clone()),
                _ => self.push(Block::Thinking { text: String::new(), seal: Some(seal.clone()) }),
            },
            Event::Other(other) => self.omitted.add(other),
            Event::Start { .. } | Event::Failed { .. } | Event::End | Event::Unreadable => {}
        }
    }

    fn tool(&mut self, piece: &ToolDelta) {
        let begun = self.blocks.iter_mut().rev().find_map(|block| match block {
            Block::Tool(tool) if tool.index == piece.index => Some(tool),
            _ => None,
        });
        match begun {
            Some(tool) => tool.arguments.push_str(&piece.arguments),
            None => self.push(Block::Tool(piece.clone())),
        }
    }

    fn push(&mut self, block: Block) {
        if self.blocks.len() < MAX_BLOCKS {
            self.blocks.push(block);
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
        !self.cut && !self.blocks.iter().any(other)
    }

    /// The tools that it calls.
    pub fn tools(&self) -> impl Iterator<Item = &ToolDelta> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Tool(tool) => Some(tool),
            _ => None,
        })
    }
}
