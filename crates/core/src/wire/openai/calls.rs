//! Which pieces of a stream belong to which call.

use super::chunk::{Arguments, ToolCall};
use super::details;
use crate::wire::custom;
use crate::wire::event::{Event, ToolDelta};

/// How many calls of one answer are told apart.
const MAX_CALLS: usize = 512;

/// The calls of one answer, in the order in which they began; the position is the neutral index.
#[derive(Debug, Default)]
pub struct Calls(Vec<Begun>);

#[derive(Debug)]
struct Begun {
    choice: u32,
    /// The provider's index; `None` where it sent none.
    wire: Option<u32>,
    id: Option<String>,
    named: bool,
    /// Of a custom tool: whether its input may go on.
    custom: Option<bool>,
}

impl Calls {
    /// A piece, if it says anything. `index` is the provider's; `answer` its id of the answer, from which the id of a
    /// call that has none is made.
    pub fn piece(&mut self, choice: u32, index: Option<u32>, call: ToolCall, answer: &str) -> Option<Event> {
        let is_custom = call.custom.is_some() || call.kind.as_deref() == Some("custom");
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let unknown = filled(call.kind).filter(|kind| kind != "function" && call.function.is_none());
        let seal = call.extra_content.as_ref().and_then(details::upstream_signature);
        let (name, said) = match (call.custom, call.function) {
            (Some(custom), _) => (custom.name, custom.input.unwrap_or_default()),
            (None, function) => {
                let function = function.unwrap_or_default();
                (function.name, function.arguments.map(Arguments::text).unwrap_or_default())
            }
        };
        let (id, name) = (filled(call.id), filled(name));
        let begun =
            self.find(choice, index).filter(|at| !self.is_another(*at, id.as_deref(), name.is_some()));
        if let Some(at) = begun {
            return self.go_on(at, name, said);
        }
        // Another kind of call has its name elsewhere.
        if let (None, Some(kind)) = (&name, unknown.filter(|_| !is_custom)) {
            return Some(Event::other(&kind, said.len()));
        }
        if self.0.len() >= MAX_CALLS {
            return Some(Event::piece("tool_calls", said.len()));
        }
        if id.is_none() && name.is_none() && said.is_empty() {
            return None;
        }
        let position = u32::try_from(self.0.len()).ok()?;
        let custom = is_custom.then_some(true);
        self.0.push(Begun { choice, wire: index, id: id.clone(), named: name.is_some(), custom });
        let id = id.unwrap_or_else(|| made_up(answer, position));
        let arguments = if is_custom { custom::begin(&said) } else { said };
        let index = position;
        Some(Event::Tool(ToolDelta { index, id: Some(id), name, arguments, seal, custom: is_custom }))
    }

    /// Ends the input of a choice's custom calls: all of the answer was said.
    pub fn close(&mut self, choice: u32) -> Vec<Event> {
        let mut events = Vec::new();
        for (index, begun) in (0..).zip(&mut self.0).filter(|(_, begun)| begun.choice == choice) {
            if begun.custom == Some(true) {
                begun.custom = Some(false);
                let arguments = custom::CLOSING.to_owned();
                events.push(Event::Tool(ToolDelta { index, arguments, ..ToolDelta::default() }));
            }
        }
        events
    }

    fn go_on(&mut self, at: usize, name: Option<String>, said: String) -> Option<Event> {
        let begun = self.0.get_mut(at)?;
        let name = name.filter(|_| !std::mem::replace(&mut begun.named, true));
        if (name.is_none() && said.is_empty()) || begun.custom == Some(false) {
            return None;
        }
        let index = u32::try_from(at).ok()?;
        let arguments = if begun.custom.is_some() { custom::piece(&said) } else { said };
        Some(Event::Tool(ToolDelta { index, name, arguments, ..ToolDelta::default() }))
    }

    /// Without an index, a piece belongs to the last call.
    fn find(&self, choice: u32, index: Option<u32>) -> Option<usize> {
        self.0.iter().rposition(|begun| begun.choice == choice && (index.is_none() || begun.wire == index))
    }

    /// Servers that count wrongly give every call the index 0: a new id with a name begins another call. A new id alone
    /// does not, because others make up an id for every piece.
    fn is_another(&self, at: usize, id: Option<&str>, named: bool) -> bool {
        let had = self.0.get(at).and_then(|begun| begun.id.as_deref());
        named && id.is_some() && id != had
    }
}

/// Unique in a conversation, as the answer's id is, and in the form that all dialects take.
fn made_up(answer: &str, position: u32) -> String {
    let answer: String = answer.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    format!("call_{answer}_{position}")
}
