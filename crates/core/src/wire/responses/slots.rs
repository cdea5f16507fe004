//! What a stream has said so far of each output item, so that what a server repeats counts once and what it only says
//! at an item's end counts at all.

use super::whole::Item;
use crate::wire::event::{Event, ToolDelta};

/// The most items of one answer that are followed; what comes beyond them is content without a name.
const MAX_SLOTS: usize = 1024;

/// Items by their `output_index`: ids are not used, because some servers change them from event to event.
#[derive(Debug, Default)]
pub struct Slots {
    slots: Vec<Slot>,
    /// How many of them are calls.
    calls: u32,
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
    /// How many bytes of its arguments were said.
    said: usize,
}

impl Slots {
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

    /// A piece of a call's arguments; `None` where the call is not known, or there is nothing to say.
    pub fn arguments(&mut self, output_index: u64, piece: String) -> Option<Event> {
        let call = self.slot(output_index)?.call.as_mut()?;
        if piece.is_empty() {
            return None;
        }
        call.said = call.said.saturating_add(piece.len());
        Some(Event::Tool(ToolDelta { index: call.index, id: None, name: None, arguments: piece, seal: None }))
    }

    /// What the whole arguments of a call add to its pieces.
    pub fn rest(&mut self, output_index: u64, whole: &str) -> Option<Event> {
        let said = self.slot(output_index)?.call.as_ref()?.said;
        let rest = whole.get(said..)?.to_owned();
        self.arguments(output_index, rest)
    }

    /// What an item adds to what was said of it, at its beginning or its end.
    pub fn item(&mut self, output_index: u64, item: Item, ended: bool) -> Vec<Event> {
        self.slot(output_index);
        match item {
            Item::Call { id, name, arguments } => self.call(output_index, id, name, arguments),
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

    fn call(&mut self, output_index: u64, id: String, name: String, arguments: String) -> Vec<Event> {
        let calls = self.calls;
        let Some(slot) = self.slot(output_index) else {
            return vec![Event::other("function_call", arguments.len())];
        };
        if slot.call.is_some() {
            return self.rest(output_index, &arguments).into_iter().collect();
        }
        slot.call = Some(Call { index: calls, said: arguments.len() });
        self.calls = calls.saturating_add(1);
        vec![Event::Tool(ToolDelta { index: calls, id: Some(id), name: Some(name), arguments, seal: None })]
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
