//! Answers that are not streamed, both ways.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::counts::Counts;
use super::decode::{Block, UNREAD, block_events, failed, finish, tool_start};
use super::encode::{counts, sealed_block, signature, stop_reason, tool_id, tool_seal};
use super::run;
use crate::wire::answer::{self, Answer, Head};
use crate::wire::event::{Event, ToolDelta};
use crate::wire::json::parse;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    id: String,
    #[serde(default)]
    model: String,
    #[serde(default, borrow)]
    content: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

/// Reads an answer that was not streamed. `Unreadable` alone, when it is none.
pub fn decode_whole(body: &[u8]) -> Vec<Event> {
    let Ok(message) = serde_json::from_slice::<Message<'_>>(body) else { return vec![Event::Unreadable] };
    if message.error.is_some() {
        return vec![failed(message.error)];
    }
    let Some(content) = message.content else { return vec![Event::Unreadable] };
    let mut events = vec![Event::Start { id: message.id, model: message.model }];
    let mut tools = 0_u32;
    for raw in content {
        match parse::<Block<'_>>(raw.get()) {
            Ok(block) if block.kind == "tool_use" => {
                events.push(tool(tools, &block));
                tools = tools.saturating_add(1);
            }
            Ok(block) => block_events(block, raw.get().len(), &mut events),
            Err(_) => events.push(Event::other(UNREAD, raw.get().len())),
        }
    }
    let counts = message.usage.and_then(|raw| parse::<Counts>(raw.get()).ok());
    events.extend(counts.map(|counts| Event::Usage(counts.usage())));
    events.extend(message.stop_reason.map(|reason| Event::Finish(finish(&reason))));
    events
}

fn tool(index: u32, block: &Block<'_>) -> Event {
    let arguments = block.input.map_or("{}", RawValue::get).to_owned();
    match tool_start(index, block) {
        Event::Tool(start) => Event::Tool(ToolDelta { arguments, ..start }),
        other => other,
    }
}

/// Writes a whole answer.
pub fn whole(head: &Head, answer: &Answer) -> Value {
    let content: Vec<Value> = answer.blocks.iter().flat_map(|block| blocks(head, block)).collect();
    let container = answer.blocks.iter().rev().find_map(|block| match block {
        answer::Block::Run(run) => run::container(&run.container),
        _ => None,
    });
    let mut whole = json!({
        "id": format!("msg_{}", head.id),
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": content,
        "stop_reason": answer.finish.map(stop_reason),
        "stop_sequence": null,
        "stop_details": null,
        "usage": counts(answer.usage),
    });
    if let (Some(container), Some(whole)) = (container, whole.as_object_mut()) {
        whole.insert("container".to_owned(), container);
    }
    whole
}

fn blocks(head: &Head, block: &answer::Block) -> Vec<Value> {
    match block {
        answer::Block::Text(text) | answer::Block::Refusal(text) if text.is_empty() => Vec::new(),
        answer::Block::Text(text) | answer::Block::Refusal(text) => {
            vec![json!({"type": "text", "text": text})]
        }
        answer::Block::Thinking { text, seal: Some(seal) } if seal.hidden && text.is_empty() => {
            vec![sealed_block(seal)]
        }
        answer::Block::Thinking { text, seal } => {
            let signature = seal.as_ref().map(signature).unwrap_or_default();
            vec![json!({"type": "thinking", "thinking": text, "signature": signature})]
        }
        answer::Block::Run(run) => {
            let id = run::id(&head.id, run);
            let result = run.end.as_ref().map(|end| run::result(run, end, &id));
            [run::call(run, &id, run::input(run))].into_iter().chain(result).collect()
        }
        answer::Block::Tool(tool) => {
            let id = tool_id(&head.id, tool);
            let seal = tool.seal.as_ref().map(|seal| sealed_block(&tool_seal(seal, &id)));
            let call =
                json!({"type": "tool_use", "id": id, "name": tool.name, "input": input(&tool.arguments)});
            seal.into_iter().chain([call]).collect()
        }
    }
}

/// A call's arguments; what is no JSON stays the text that it is.
fn input(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return json!({});
    }
    parse(arguments).unwrap_or_else(|_| Value::String(arguments.to_owned()))
}
