//! Output items as the encoder builds them.

use serde_json::{Value, json};

use super::encode::Piece;
use crate::wire::event::ToolDelta;
use crate::wire::json::parse;

/// What a text is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `output_text` of a message.
    Text,
    /// `refusal` of a message.
    Refusal,
    /// `summary_text` of a reasoning item.
    Summary,
}

impl Part {
    /// How ids of its item begin.
    pub fn prefix(self) -> &'static str {
        if self == Self::Summary { "rs" } else { "msg" }
    }

    fn value(self, text: &str) -> Value {
        match self {
            Self::Text => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
            Self::Refusal => json!({"type": "refusal", "refusal": text}),
            Self::Summary => json!({"type": "summary_text", "text": text}),
        }
    }
}

/// An open message, or open reasoning.
#[derive(Debug)]
pub struct Text {
    id: String,
    index: usize,
    is_reasoning: bool,
    /// In order; the last is open.
    parts: Vec<(Part, String)>,
    encrypted: Option<String>,
}

impl Text {
    /// Without parts.
    pub fn new(part: Part, id: String, index: usize) -> Self {
        Self { id, index, is_reasoning: part == Part::Summary, parts: Vec::new(), encrypted: None }
    }

    /// The item's.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its place in the output.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether such a part belongs into this item.
    pub fn takes(&self, part: Part) -> bool {
        self.is_reasoning == (part == Part::Summary)
    }

    /// The open part.
    pub fn part(&self) -> Option<Part> {
        self.parts.last().map(|(part, _)| *part)
    }

    /// Opens a part.
    pub fn open(&mut self, part: Part) {
        self.parts.push((part, String::new()));
    }

    /// Adds to the open part.
    pub fn push(&mut self, piece: &str) {
        if let Some((_, text)) = self.parts.last_mut() {
            text.push_str(piece);
        }
    }

    /// Seals the reasoning.
    pub fn seal(&mut self, encrypted: String) {
        self.encrypted = Some(encrypted);
    }

    /// The event of a new part.
    pub fn added(&self) -> (&'static str, Piece<'_>) {
        let part = self.part().map(|part| part.value(""));
        let kind = if self.is_reasoning {
            "response.reasoning_summary_part.added"
        } else {
            "response.content_part.added"
        };
        (kind, Piece { part, ..self.piece() })
    }

    /// The event of a piece of the open part.
    pub fn delta<'a>(&'a self, piece: &'a str) -> (&'static str, Piece<'a>) {
        let delta = Piece { delta: Some(piece), ..self.piece() };
        match self.part() {
            Some(Part::Refusal) => ("response.refusal.delta", delta),
            Some(Part::Summary) => ("response.reasoning_summary_text.delta", delta),
            _ => ("response.output_text.delta", Piece { logprobs: Some([]), ..delta }),
        }
    }

    /// The events that close the open part.
    pub fn done(&self) -> Vec<(&'static str, Piece<'_>)> {
        let Some((part, text)) = self.parts.last() else { return Vec::new() };
        let whole = match part {
            Part::Text => {
                ("response.output_text.done", Piece { text: Some(text), logprobs: Some([]), ..self.piece() })
            }
            Part::Refusal => ("response.refusal.done", Piece { refusal: Some(text), ..self.piece() }),
            Part::Summary => {
                ("response.reasoning_summary_text.done", Piece { text: Some(text), ..self.piece() })
            }
        };
        let kind = if self.is_reasoning {
            "response.reasoning_summary_part.done"
        } else {
            "response.content_part.done"
        };
        vec![whole, (kind, Piece { part: Some(part.value(text)), ..self.piece() })]
    }

    /// The item as it stands.
    pub fn item(&self, status: &str) -> Value {
        let parts: Vec<_> = self.parts.iter().map(|(part, text)| part.value(text)).collect();
        if !self.is_reasoning {
            return json!({"type": "message", "id": self.id, "role": "assistant", "status": status, "content": parts});
        }
        let mut item = json!({"type": "reasoning", "id": self.id, "status": status, "summary": parts});
        if let (Some(item), Some(encrypted)) = (item.as_object_mut(), &self.encrypted) {
            item.insert("encrypted_content".to_owned(), json!(encrypted));
        }
        item
    }

    fn piece(&self) -> Piece<'_> {
        let place = Some(self.parts.len().saturating_sub(1));
        Piece {
            item_id: &self.id,
            output_index: self.index,
            content_index: place.filter(|_| !self.is_reasoning),
            summary_index: place.filter(|_| self.is_reasoning),
            ..Piece::default()
        }
    }
}

/// A call of a function or of a custom tool.
#[derive(Debug, Default)]
pub struct Call {
    /// Joins its pieces.
    joint: u32,
    id: String,
    call_id: String,
    name: String,
    index: usize,
    /// Or the custom tool's input.
    arguments: String,
    custom: bool,
    closed: bool,
}

impl Call {
    /// Without arguments.
    pub fn new(piece: &ToolDelta, id: String, call_id: String, index: usize) -> Self {
        let name = piece.name.clone().unwrap_or_default();
        let (joint, custom) = (piece.index, piece.custom);
        Self { joint, id, call_id, name, index, arguments: String::new(), custom, closed: false }
    }

    /// Whether a piece of this index is one of this call.
    pub fn joins(&self, joint: u32) -> bool {
        self.joint == joint
    }

    /// Its place in the output.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Adds to its arguments.
    pub fn push(&mut self, piece: &str) {
        self.arguments.push_str(piece);
    }

    /// Whether it is a custom tool's.
    pub fn is_custom(&self) -> bool {
        self.custom
    }

    /// Whether it has no arguments yet, and must have some.
    pub fn is_empty(&self) -> bool {
        !self.custom && self.arguments.trim().is_empty()
    }

    /// Whether its arguments are a whole object, to which nothing can be added.
    pub fn is_whole(&self) -> bool {
        !self.custom && parse::<serde_json::Map<String, Value>>(&self.arguments).is_ok()
    }

    /// Whether its item was closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Notes that its item was closed.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The event of a piece of its arguments.
    pub fn delta<'a>(&'a self, piece: &'a str) -> (&'static str, Piece<'a>) {
        let kind = if self.custom {
            "response.custom_tool_call_input.delta"
        } else {
            "response.function_call_arguments.delta"
        };
        (kind, Piece { delta: Some(piece), ..self.piece() })
    }

    /// The event of its whole arguments.
    pub fn done(&self) -> (&'static str, Piece<'_>) {
        let said = Some(self.arguments.as_str());
        if self.custom {
            return ("response.custom_tool_call_input.done", Piece { input: said, ..self.piece() });
        }
        let piece = Piece { name: Some(&self.name), arguments: said, ..self.piece() };
        ("response.function_call_arguments.done", piece)
    }

    /// The item as it stands.
    pub fn item(&self, status: &str) -> Value {
        let (kind, said) = match self.custom {
            true => ("custom_tool_call", "input"),
            false => ("function_call", "arguments"),
        };
        json!({
            "type": kind,
            "id": self.id,
            "call_id": self.call_id,
            "name": self.name,
            said: self.arguments,
            "status": status,
        })
    }

    fn piece(&self) -> Piece<'_> {
        Piece { item_id: &self.id, output_index: self.index, ..Piece::default() }
    }
}
