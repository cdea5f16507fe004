//! The calls of one answer: their ids, and arguments that come in pieces.

use serde_json::value::RawValue;

use super::arguments::{Arguments, Piece};
use super::chunk::{FunctionCall, PartialArg};
use crate::wire::Dialect;
use crate::wire::conversation::Seal;
use crate::wire::event::{Event, ToolDelta};
use crate::wire::json::parse;
use crate::wire::refusal::Class;

/// Numbers calls and gathers those that come in pieces.
#[derive(Debug, Default)]
pub(super) struct Calls {
    count: u32,
    /// The end of the provider's id of the answer: makes calls' ids differ between answers.
    answer: String,
    /// Per candidate at most one: Google sends the next call when the last is whole.
    open: Vec<(u32, Open)>,
}

#[derive(Debug)]
struct Open {
    call: ToolDelta,
    arguments: Arguments,
    /// A piece had no place.
    broken: bool,
}

impl Calls {
    /// Names the answer that the calls belong to. Ids of calls keep to 40 letters, which is what OpenAI takes.
    pub(super) fn answer(&mut self, id: &str) {
        let letters: Vec<char> =
            id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect();
        self.answer = letters.iter().skip(letters.len().saturating_sub(24)).collect();
    }

    /// How many calls there were.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// A part with a call, or with a piece of one.
    pub(super) fn part(
        &mut self,
        candidate: u32,
        call: FunctionCall<'_>,
        signature: Option<String>,
        events: &mut Vec<Event>,
    ) {
        let pieces = call.partial_args.unwrap_or_default();
        let more = call.will_continue.unwrap_or(false);
        let continues = more || pieces.iter().any(|piece| piece.will_continue == Some(true));
        if let Some(name) = call.name.filter(|name| !name.is_empty()) {
            self.close(candidate, true, events);
            let begun = self.begin(call.id, name, signature);
            match call.args {
                Some(args) => events.push(Event::Tool(ToolDelta { arguments: text(args), ..begun })),
                None => {
                    let open = Open { call: begun, arguments: Arguments::default(), broken: false };
                    self.open.push((candidate, open));
                }
            }
        } else if let (Some(args), Some(place)) = (call.args, self.place(candidate)) {
            let (_, open) = self.open.remove(place);
            events.push(Event::Tool(ToolDelta { arguments: text(args), ..open.call }));
        }
        if let Some((_, open)) = self.place(candidate).and_then(|place| self.open.get_mut(place)) {
            pieces.iter().for_each(|piece| open.take(piece));
        }
        if !continues {
            self.close(candidate, true, events);
        }
    }

    /// Ends the open call of a candidate. Where the answer was cut off in the middle of it, its arguments are left
    /// without their end, so that nobody takes them for whole.
    pub(super) fn close(&mut self, candidate: u32, whole: bool, events: &mut Vec<Event>) {
        let Some(place) = self.place(candidate) else { return };
        let (_, open) = self.open.remove(place);
        if open.broken {
            let name = open.call.name.unwrap_or_default();
            let message = format!("the arguments of the call of {name} cannot be put together");
            events.push(Event::Failed {
                message,
                code: Some("MALFORMED_FUNCTION_CALL".to_owned()),
                class: Class::Failed,
            });
            return;
        }
        let mut arguments = open.arguments.text();
        if !whole {
            arguments.pop();
        }
        events.push(Event::Tool(ToolDelta { arguments, ..open.call }));
    }

    fn place(&self, candidate: u32) -> Option<usize> {
        self.open.iter().position(|(of, _)| *of == candidate)
    }

    fn begin(&mut self, id: Option<String>, name: String, signature: Option<String>) -> ToolDelta {
        let index = self.count;
        self.count = self.count.saturating_add(1);
        let made_up = || match self.answer.as_str() {
            "" => format!(
                "call_{index}_{}",
                name.chars().filter(char::is_ascii_alphanumeric).take(24).collect::<String>()
            ),
            answer => format!("call_{answer}_{index}"),
        };
        ToolDelta {
            index,
            id: Some(id.filter(|id| !id.is_empty()).unwrap_or_else(made_up)),
            name: Some(name),
            arguments: String::new(),
            seal: signature.map(|value| Seal::signature(Dialect::Gemini, value)),
            ..ToolDelta::default()
        }
    }
}

impl Open {
    fn take(&mut self, piece: &PartialArg<'_>) {
        let value = match (&piece.string_value, piece.number_value, piece.bool_value) {
            (Some(text), _, _) => Piece::Text(text),
            (None, Some(number), _) => Piece::Plain(number.get()),
            (None, None, Some(truth)) => Piece::Plain(if truth { "true" } else { "false" }),
            (None, None, None) if piece.null_value => Piece::Plain("null"),
            (None, None, None) => return,
        };
        self.broken |= self.arguments.place(&piece.json_path, &value).is_none();
    }
}

/// An object's text. A server that sends the text as a string is understood.
fn text(args: &RawValue) -> String {
    parse(args.get()).unwrap_or_else(|_| args.get().to_owned())
}
