//! Neutral events, written as OpenAI chunks and answers: for callers whose answer is not passed through.

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde_json::{Value, json};

use super::{details, error_body};
use crate::error::Error;
use crate::wire::answer::{Answer, Block, Head, MAX_KEPT};
use crate::wire::event::{Event, Finish, Run, ToolDelta, Usage};
use crate::wire::{custom, sse};

/// The stream's terminator.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// The member that says what was run: chat completions never had such a tool.
const RUN: &str = "opencode_run";

/// Writes one stream. Every chunk has the same id and time, as OpenAI's do; the reason that ends it comes with the tail.
pub struct Encoder {
    id: String,
    include_usage: bool,
    /// What stands after `choices` in every chunk, up to the usage.
    rest: String,
    began: bool,
    calls: Vec<Open>,
    /// The thinking since the last seal, which the next one signs; `None` where it is too long to be kept.
    thought: Option<String>,
    seals: usize,
    finish: Option<Finish>,
}

/// A call that has begun: its index in the events, whether it has said any arguments, and whether it is a custom tool's.
struct Open {
    index: u32,
    argued: bool,
    custom: bool,
}

/// Its members in the order of the alphabet, as those of a [`Value`] are.
#[derive(Default, Serialize)]
#[serde(default)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<[Value; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolPiece<'a>; 1]>,
}

#[derive(Default, Serialize)]
struct ToolPiece<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<CustomPiece<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<FunctionPiece<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    index: usize,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
}

#[derive(Serialize)]
struct FunctionPiece<'a> {
    arguments: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct CustomPiece<'a> {
    input: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl Encoder {
    /// For an answer under this head.
    pub fn new(head: Head) -> Self {
        let id = format!("chatcmpl-{}", head.id);
        let about = json!({
            "created": head.created,
            "id": id,
            "model": head.model,
            "object": "chat.completion.chunk",
        });
        let about = about.to_string();
        Self {
            id: head.id,
            include_usage: head.include_usage,
            rest: about.trim_start_matches('{').trim_end_matches('}').to_owned(),
            began: false,
            calls: Vec::new(),
            thought: Some(String::new()),
            seals: 0,
            finish: None,
        }
    }

    /// The chunk of an event, if it has one.
    pub fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Text(text) => self.say(Delta { content: Some(text), ..Delta::default() }, out),
            Event::Refusal(text) => self.say(Delta { refusal: Some(text), ..Delta::default() }, out),
            Event::Thinking(text) => {
                let kept = self.thought.as_ref().map(|thought| thought.len().saturating_add(text.len()));
                match self.thought.as_mut().filter(|_| kept.is_some_and(|kept| kept <= MAX_KEPT)) {
                    Some(thought) => thought.push_str(text),
                    None => self.thought = None,
                }
                self.say_thought(Delta { reasoning_content: Some(text), ..Delta::default() }, out);
            }
            Event::Sealed(seal) => {
                let thought = self.thought.replace(String::new());
                // A seal without all the text that it signs would be refused.
                let Some(thought) = thought.or(seal.hidden.then(String::new)) else { return };
                let detail = details::detail(seal, &thought, self.seals);
                self.seals = self.seals.saturating_add(1);
                self.say_thought(Delta { reasoning_details: Some([detail]), ..Delta::default() }, out);
            }
            Event::Tool(tool) => self.tool(tool, out),
            Event::Run(run) if run.end.is_some() => self.aside(RUN, &ran(run), out),
            Event::Run(_) => {}
            Event::Finish(finish) => self.finish = Some(*finish),
            Event::Start { .. }
            | Event::Other(_)
            | Event::Usage(_)
            | Event::Failed { .. }
            | Event::End
            | Event::Unreadable => {}
        }
    }

    /// What ends a complete stream: the reason, the usage if it was asked for, and `[DONE]`.
    pub fn tail(&mut self, usage: Usage, out: &mut BytesMut) {
        for at in 0..self.calls.len() {
            if self.calls.get(at).is_some_and(|call| !call.argued) {
                let function = Some(FunctionPiece { arguments: "{}", name: None });
                let piece = ToolPiece { function, index: at, ..ToolPiece::default() };
                self.say(Delta { tool_calls: Some([piece]), ..Delta::default() }, out);
            }
        }
        if let Some(finish) = self.finish {
            self.chunk(Delta::default(), Some(finish_reason(finish)), out);
        }
        if self.include_usage {
            out.put_slice(b"data: {\"choices\":[],");
            out.put_slice(self.rest.as_bytes());
            out.put_slice(b",\"usage\":");
            json_into(&counts(usage), out);
            out.put_slice(b"}\n\n");
        }
        out.put_slice(DONE);
    }

    /// A chunk without choices, as the one with the usage is.
    pub fn aside(&mut self, name: &str, note: &Value, out: &mut BytesMut) {
        out.put_slice(b"data: {\"choices\":[],");
        out.put_slice(self.rest.as_bytes());
        out.put_slice(format!(",\"{name}\":").as_bytes());
        json_into(note, out);
        out.put_slice(if self.include_usage { b",\"usage\":null}\n\n" } else { b"}\n\n" });
    }

    /// What ends a stream that broke: an error event, which the official clients raise, and no `[DONE]`.
    pub fn broken(&mut self, error: &Error, trace: &str, out: &mut BytesMut) {
        out.put_slice(&sse::unnamed(&error_body(error, trace)));
    }

    fn tool(&mut self, tool: &ToolDelta, out: &mut BytesMut) {
        let begun = self.calls.iter_mut().position(|call| call.index == tool.index);
        let at = begun.unwrap_or(self.calls.len());
        let made_up;
        let id = match (&tool.id, begun) {
            (Some(id), _) => Some(id.as_str()),
            (None, Some(_)) => None,
            (None, None) => {
                made_up = format!("call_{}_{at}", self.id);
                Some(made_up.as_str())
            }
        };
        let argued = !tool.arguments.is_empty();
        let name = tool.name.as_deref();
        let mut is_custom = tool.custom;
        match self.calls.get_mut(at) {
            Some(call) => {
                call.argued |= argued;
                is_custom = call.custom;
            }
            None => self.calls.push(Open { index: tool.index, argued, custom: is_custom }),
        }
        let input = if is_custom { custom::input(&tool.arguments) } else { String::new() };
        if is_custom && input.is_empty() && id.is_none() && name.is_none() {
            return;
        }
        let kind = if is_custom { "custom" } else { "function" };
        let piece = ToolPiece {
            custom: is_custom.then_some(CustomPiece { input: &input, name }),
            extra_content: tool.seal.as_ref().map(details::extra_content),
            function: (!is_custom).then_some(FunctionPiece { arguments: &tool.arguments, name }),
            id,
            index: at,
            kind: id.map(|_| kind),
        };
        self.say(Delta { tool_calls: Some([piece]), ..Delta::default() }, out);
    }

    /// What is no thinking ends the thinking before it: a seal that comes later signs something else.
    fn say(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        match &mut self.thought {
            Some(thought) => thought.clear(),
            None => self.thought = Some(String::new()),
        }
        self.chunk(delta, None, out);
    }

    fn say_thought(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        self.chunk(delta, None, out);
    }

    fn chunk(&mut self, mut delta: Delta<'_>, finish: Option<&str>, out: &mut BytesMut) {
        delta.role = (!std::mem::replace(&mut self.began, true)).then_some("assistant");
        out.put_slice(b"data: {\"choices\":[{\"delta\":");
        json_into(&delta, out);
        out.put_slice(b",\"finish_reason\":");
        json_into(&finish, out);
        out.put_slice(b",\"index\":0,\"logprobs\":null}],");
        out.put_slice(self.rest.as_bytes());
        out.put_slice(if self.include_usage { b",\"usage\":null}\n\n" } else { b"}\n\n" });
    }
}

/// An answer that is not streamed. Its content is null where it only calls tools or refuses, as OpenAI's is.
pub fn whole(head: &Head, answer: &Answer) -> Value {
    let (mut text, mut refusal, mut shown) = (String::new(), String::new(), String::new());
    let (mut calls, mut seals, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    for block in &answer.blocks {
        match block {
            Block::Text(piece) => text.push_str(piece),
            Block::Refusal(piece) => refusal.push_str(piece),
            Block::Thinking { text, seal } => {
                shown.push_str(text);
                seals.extend(seal.as_ref().map(|seal| details::detail(seal, text, seals.len())));
            }
            Block::Tool(tool) => calls.push(tool_call(tool, &head.id, calls.len())),
            Block::Run(run) => runs.push(ran(run)),
        }
    }
    let silent = text.is_empty() && !(calls.is_empty() && refusal.is_empty());
    let mut message = json!({
        "role": "assistant",
        "content": Some(text).filter(|_| !silent),
        "refusal": Some(refusal).filter(|refusal| !refusal.is_empty()),
    });
    if let Some(message) = message.as_object_mut() {
        let optional = [
            ("reasoning_content", Some(shown).filter(|it| !it.is_empty()).map(Value::String)),
            ("reasoning_details", Some(seals).filter(|it| !it.is_empty()).map(Value::Array)),
            ("tool_calls", Some(calls).filter(|it| !it.is_empty()).map(Value::Array)),
            ("opencode_runs", Some(runs).filter(|it| !it.is_empty()).map(Value::Array)),
        ];
        message.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    json!({
        "id": format!("chatcmpl-{}", head.id),
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": answer.finish.map(finish_reason),
        }],
        "usage": counts(answer.usage),
    })
}

fn ran(run: &Run) -> Value {
    let end = run.end.clone().unwrap_or_default();
    json!({
        "code": run.code,
        "container": Some(&run.container.id).filter(|id| !id.is_empty()),
        "stdout": end.stdout,
        "stderr": end.stderr,
        "exit_code": end.exit_code,
        "refused": end.refused,
        "files": end.files.iter().map(|file| file.shown()).collect::<Vec<_>>(),
    })
}

fn tool_call(tool: &ToolDelta, answer: &str, at: usize) -> Value {
    let id = tool.id.clone().unwrap_or_else(|| format!("call_{answer}_{at}"));
    let arguments = if tool.arguments.is_empty() { "{}" } else { &tool.arguments };
    let mut call = if tool.custom {
        let input = custom::input(arguments);
        json!({"id": id, "type": "custom", "custom": {"name": tool.name, "input": input}})
    } else {
        json!({"id": id, "type": "function", "function": {"name": tool.name, "arguments": arguments}})
    };
    if let (Some(seal), Some(call)) = (&tool.seal, call.as_object_mut()) {
        call.insert("extra_content".to_owned(), details::extra_content(seal));
    }
    call
}

/// OpenAI has no reason for a pause; the model was done for now.
fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Paused => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

fn counts(usage: Usage) -> Value {
    let mut input = json!({"cached_tokens": usage.cached});
    if let (true, Some(input)) = (usage.cache_write > 0, input.as_object_mut()) {
        input.insert("cache_write_tokens".to_owned(), json!(usage.cache_write));
    }
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input.saturating_add(usage.output),
        "prompt_tokens_details": input,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

/// Writing into memory cannot fail, and none of these values has a key that is no string.
fn json_into(value: &impl Serialize, out: &mut BytesMut) {
    serde_json::to_writer(out.writer(), value).ok();
}
