//! What a stream has said so far of each output item, so that what a server repeats counts once and what it only says
//! at an item's end counts at all.

use serde_json::Value;

use super::whole::Item;
use crate::wire::custom;
use crate::wire::event::{Event, ToolDelta};

/// The most items of one answer that are followed; what comes beyond them is content without a name.
const MAX_SLOTS: usize = 1024;

/// Items by their `output_index`: ids are not used, because some servers change them from event to event.
#[derive(Debug, Default)]
pub struct Slots {
    slots: Vec<Slot>,
    /// How many of them are calls.
    calls: u32,
    /// The names of the caller's custom tools, where the provider repeats them. Other custom calls are of tools that it
    /// runs itself (xAI's search of X).
    custom: Option<Vec<String>>,
}

#[derive(Debug, Default)]
struct Slot {
    output_index: u64,
    /// Whether text, a refusal or thinking of it was said.
    said: bool,
    /// Whether its seal was said.
    sealed: bool,
    call: Option<Call>,
    /// The type of what is neither a call nor text nor thinking.
    other: Option<String>,
}

#[derive(Debug)]
struct Call {
    index: u32,
    /// How many bytes of its arguments were said; of a custom tool's call, of its input.
    said: usize,
    /// Of a custom tool: whether its input may go on.
    custom: Option<bool>,
}

impl Slots {
    /// Takes the tools that the response object repeats.
    pub fn offer(&mut self, tools: &Value) {
        // An empty list says nothing: a provider runs no tool that is not in it either.
        let Some(tools) = tools.as_array().filter(|it| !it.is_empty() && self.custom.is_none()) else {
            return;
        };
        let text = |tool: &Value, name: &str| tool.get(name).and_then(Value::as_str).map(str::to_owned);
        let custom = tools.iter().filter(|tool| text(tool, "type").as_deref() == Some("custom"));
        self.custom = Some(custom.filter_map(|tool| text(tool, "name")).collect());
    }

    /// Whether no item was spoken of.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether a call was seen.
    pub fn has_calls(&self) -> bool {
        self.calls > 0
    }

    /// Notes that a piece of an item's text was said.
    pub fn say(&mut self, output_index: u64) {
        if let Some(slot) = self.slot(output_index) {
            slot.said = true;
        }
    }

    /// Whether nothing of an item's text was said yet.
    pub fn is_silent(&mut self, output_index: u64) -> bool {
        self.slot(output_index).is_none_or(|slot| !slot.said)
    }

    /// A piece of something that has no event of its own: by its item's type, else by the event's.
    pub fn other(&mut self, output_index: u64, event: &str, size: usize) -> Event {
        let kind = self.slots.iter().rev().find(|slot| slot.output_index == output_index);
        let kind = kind.and_then(|slot| slot.other.as_deref());
        Event::piece(
            kind.unwrap_or_else(|| event.trim_start_matches("response.").trim_end_matches(".delta")),
            size,
        )
    }

    /// A piece of a call's arguments or input; `None` where the call is not known, or there is nothing to say.
    pub fn arguments(&mut self, output_index: u64, piece: String) -> Option<Event> {
        let call = self.slot(output_index)?.call.as_mut()?;
        if piece.is_empty() || call.custom == Some(false) {
            return None;
        }
        call.said = call.said.saturating_add(piece.len());
        let arguments = if call.custom.is_some() { custom::piece(&piece) } else { piece };
        Some(Event::Tool(ToolDelta { index: call.index, arguments, ..ToolDelta::default() }))
    }

    /// What the whole arguments or input of a call add to the pieces. With them a custom tool's input has ended.
    pub fn whole(&mut self, output_index: u64, whole: &str) -> Vec<Event> {
        let rest = self.rest(output_index, whole);
        rest.into_iter().chain(self.close(output_index)).collect()
    }

    /// Ends the inputs that a server did not end itself.
    pub fn close_all(&mut self) -> Vec<Event> {
        let places: Vec<_> = self.slots.iter().map(|slot| slot.output_index).collect();
        places.into_iter().filter_map(|place| self.close(place)).collect()
    }

    fn rest(&mut self, output_index: u64, whole: &str) -> Option<Event> {
        let said = self.slot(output_index)?.call.as_ref()?.said;
        let rest = whole.get(said..)?.to_owned();
        self.arguments(output_index, rest)
    }

    fn close(&mut self, output_index: u64) -> Option<Event> {
        let call = self.slot(output_index)?.call.as_mut()?;
        let open = call.custom == Some(true);
        call.custom = call.custom.map(|_| false);
        let arguments = custom::CLOSING.to_owned();
        open.then_some(Event::Tool(ToolDelta { index: call.index, arguments, ..ToolDelta::default() }))
    }

    /// What an item adds to what was said of it, at its beginning or its end.
    pub fn item(&mut self, output_index: u64, item: Item, ended: bool) -> Vec<Event> {
        self.slot(output_index);
        match item {
            Item::Call { name, arguments, custom: true, .. } if !self.is_offered(&name) => {
                // Once, with all that it says.
                ended.then(|| Event::other("custom_tool_call", arguments.len())).into_iter().collect()
            }
            Item::Call { id, name, arguments, custom, cut } => {
                let mut events = self.call(output_index, id, name, &arguments, custom);
                if ended && !cut {
                    events.extend(self.close(output_index));
                }
                events
            }
            Item::Message(_) if !ended => Vec::new(),
            Item::Message(events) if self.is_silent(output_index) => events,
            // Annotations were events of their own.
            Item::Message(_) => Vec::new(),
            // A seal is not whole before its item's end.
            Item::Reasoning { .. } if !ended => Vec::new(),
            Item::Reasoning { text, seal } => {
                let text = text.filter(|_| self.is_silent(output_index)).map(Event::Thinking);
                let fresh =
                    self.slot(output_index).is_none_or(|slot| !std::mem::replace(&mut slot.sealed, true));
                text.into_iter().chain(seal.filter(|_| fresh).map(Event::Sealed)).collect()
            }
            Item::Other(kind, size) => match self.slot(output_index) {
                // Its end repeats its beginning.
                Some(Slot { other: Some(_), .. }) => vec![Event::piece(&kind, size)],
                Some(slot) => {
                    slot.other = Some(kind.clone());
                    vec![Event::other(&kind, size)]
                }
                None => vec![Event::other(&kind, size)],
            },
        }
    }

    fn is_offered(&self, name: &str) -> bool {
        self.custom.as_ref().is_none_or(|custom| custom.iter().any(|known| known == name))
    }

    /// The call itself, when it is new.
    fn call(&mut self, output_index: u64, id: String, name: String, said: &str, custom: bool) -> Vec<Event> {
        let index = self.calls;
        let Some(slot) = self.slot(output_index) else {
            return vec![Event::other("function_call", said.len())];
        };
        if slot.call.is_some() {
            return self.rest(output_index, said).into_iter().collect();
        }
        slot.call = Some(Call { index, said: said.len(), custom: custom.then_some(true) });
        self.calls = index.saturating_add(1);
        let arguments = if custom { custom::begin(said) } else { said.to_owned() };
        let (id, name) = (Some(id), Some(name));
        vec![Event::Tool(ToolDelta { index, id, name, arguments, custom, ..ToolDelta::default() })]
    }

    fn slot(&mut self, output_index: u64) -> Option<&mut Slot> {
        // The item that is spoken of is nearly always the last.
        let known = self.slots.iter().rposition(|slot| slot.output_index == output_index);
        if known.is_none() && self.slots.len() < MAX_SLOTS {
            self.slots.push(Slot { output_index, ..Slot::default() });
            return self.slots.last_mut();
        }
        self.slots.get_mut(known?)
    }
}
