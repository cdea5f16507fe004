//! Neutral messages, written as Anthropic's: instructions apart, speakers in turn, a tool's results first.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::wire::Dialect;
use crate::wire::conversation::{
    Call, Cannot, Image, Message, Part, Role, Source, Thinking, ToolResult, reminder,
};

/// The kinds of pictures that are taken (Anthropic's documentation of vision).
const PICTURES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];

/// `system` and `messages`.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pub(super) system: Vec<Block>,
    pub(super) messages: Vec<Turn>,
}

#[derive(Debug, Serialize)]
pub(super) struct Turn {
    role: &'static str,
    content: Vec<Block>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Text {
        text: String,
    },
    Image {
        source: Picture,
    },
    Thinking {
        thinking: String,
        signature: String,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
        input: Box<RawValue>,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block>,
        #[serde(skip_serializing_if = "is_false")]
        is_error: bool,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Picture {
    Url { url: String },
    Base64 { media_type: String, data: String },
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's `skip_serializing_if` hands out references.
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Instructions before the conversation stand apart; later ones keep their place. A model that takes them there
/// (`in_place`) does so only between a user's turn and the model's, or at the end (Anthropic's documentation of
/// mid-conversation system messages, "Limitations"); everywhere else they are text of the user's turn. Text of nothing
/// but space is refused by the provider and left out.
pub(super) fn turns(messages: &[Message], in_place: bool) -> Result<Turns, Cannot> {
    let mut turns = Turns::default();
    for (index, message) in messages.iter().enumerate() {
        let blocks = message.parts.iter().filter_map(|part| block(message.role, part).transpose());
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        match message.role {
            _ if blocks.is_empty() => {}
            Role::System if turns.messages.is_empty() => turns.system.extend(blocks),
            Role::System => {
                let mut later = messages.iter().skip(index.saturating_add(1)).map(|message| message.role);
                let next = later.find(|role| *role != Role::System);
                let fits = in_place && next != Some(Role::User) && turns.last() != Some("assistant");
                match fits {
                    true => turns.say("system", blocks),
                    false => turns.say("user", blocks.into_iter().map(Block::reminded).collect()),
                }
            }
            Role::User => turns.say("user", blocks),
            Role::Assistant => turns.say("assistant", blocks),
        }
    }
    for turn in &mut turns.messages {
        let content = std::mem::take(&mut turn.content);
        let (results, rest): (Vec<_>, Vec<_>) =
            content.into_iter().partition(|block| matches!(block, Block::ToolResult { .. }));
        turn.content = results;
        turn.content.extend(rest);
    }
    turns.trim();
    if turns.messages.is_empty() { Err(Cannot::Silence) } else { Ok(turns) }
}

impl Block {
    fn reminded(self) -> Self {
        match self {
            Self::Text { text } => Self::Text { text: reminder(&text) },
            other => other,
        }
    }
}

impl Turns {
    fn last(&self) -> Option<&'static str> {
        self.messages.last().map(|turn| turn.role)
    }

    fn say(&mut self, role: &'static str, blocks: Vec<Block>) {
        match self.messages.last_mut() {
            Some(last) if last.role == role => last.content.extend(blocks),
            _ => self.messages.push(Turn { role, content: blocks }),
        }
    }

    /// The provider refuses a last turn of the model that ends in space, and a conversation of instructions alone:
    /// the person says them then.
    fn trim(&mut self) {
        if let Some(Turn { role: "assistant", content }) = self.messages.last_mut()
            && let Some(Block::Text { text }) = content.last_mut()
        {
            text.truncate(text.trim_end().len());
        }
        if self.messages.is_empty() && !self.system.is_empty() {
            let content = std::mem::take(&mut self.system);
            self.messages.push(Turn { role: "user", content });
        }
    }

    /// Whether the model is in the middle of calling tools without the thinking that led there: such a turn cannot
    /// go on with a budget for thinking (Anthropic's documentation of extended thinking, "tool use").
    pub(super) fn lack_thinking(&self) -> bool {
        let mut latest = self.messages.iter().rev().filter(|turn| turn.role != "system");
        let (Some(Turn { content: results, .. }), Some(Turn { role: "assistant", content: calls })) =
            (latest.next(), latest.next())
        else {
            return false;
        };
        let answered = results.iter().any(|block| matches!(block, Block::ToolResult { .. }));
        let thought = matches!(calls.first(), Some(Block::Thinking { .. } | Block::RedactedThinking { .. }));
        answered && !thought
    }
}

/// `None` for what is left out: empty text, and thinking that only another provider can trust.
fn block(role: Role, part: &Part) -> Result<Option<Block>, Cannot> {
    Ok(match part {
        Part::Text(text) if text.trim().is_empty() => None,
        Part::Text(text) => Some(Block::Text { text: text.clone() }),
        Part::Image(image) if role == Role::User => Some(picture(image)?),
        Part::Image(_) => return Err(Cannot::Image),
        Part::Thinking(thinking) => thought(thinking),
        Part::Call(call) => Some(tool_use(call)?),
        Part::Result(result) => Some(tool_result(result)?),
    })
}

fn thought(thinking: &Thinking) -> Option<Block> {
    let seal = thinking.seal.as_ref().filter(|seal| seal.dialect == Dialect::Anthropic)?;
    let value = seal.value.clone();
    Some(match seal.hidden {
        true => Block::RedactedThinking { data: value },
        false => Block::Thinking { thinking: thinking.text.clone(), signature: value },
    })
}

fn picture(image: &Image) -> Result<Block, Cannot> {
    let source = match &image.source {
        Source::Url(url) if url.starts_with("https://") || url.starts_with("http://") => {
            Picture::Url { url: url.clone() }
        }
        Source::Data { media, base64 } if PICTURES.contains(&media.as_str()) => {
            Picture::Base64 { media_type: media.clone(), data: base64.clone() }
        }
        Source::Url(_) | Source::Data { .. } => return Err(Cannot::Image),
    };
    Ok(Block::Image { source })
}

fn tool_use(call: &Call) -> Result<Block, Cannot> {
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.trim() };
    let input = RawValue::from_string(arguments.to_owned()).map_err(|_| Cannot::Tools)?;
    if !input.get().starts_with('{') {
        return Err(Cannot::Tools);
    }
    Ok(Block::ToolUse { id: tool_id(&call.id), name: call.name.clone(), input })
}

fn tool_result(result: &ToolResult) -> Result<Block, Cannot> {
    let content = result.parts.iter().filter_map(|part| block(Role::User, part).transpose());
    Ok(Block::ToolResult {
        tool_use_id: tool_id(&result.id),
        content: content.collect::<Result<_, _>>()?,
        is_error: result.failed,
    })
}

/// Ids are `^[a-zA-Z0-9_-]+$`; those of other dialects that are not are encoded, so that different ones stay so.
fn tool_id(id: &str) -> String {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !id.is_empty() && id.bytes().all(fits) {
        return id.to_owned();
    }
    let mut encoded = "toolu_".to_owned();
    BASE64.encode_string(id, &mut encoded);
    encoded
}
