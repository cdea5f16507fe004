//! What the wall says, before a dialect writes it.

use serde_json::{Value, json};

use super::asked::Asked;
use super::fault::{Content, Fault, LONG, Order, TOKENS};

/// The seal on every thought of the wall: a signature, or encrypted reasoning.
pub const SEAL: &str = "d2FsbC1zZWFsLW9mLWEtdGhvdWdodA==";

/// What a model that thinks thinks.
pub const THOUGHTS: [&str; 4] = ["The wall", " is", " thinking", " …"];

const CITIES: [&str; 4] = ["Paris", "Rome", "Łódź", "\"Quito\""];

/// One answer.
pub struct Answer {
    /// Pieces of visible reasoning.
    pub thoughts: Vec<String>,
    /// Pieces of text.
    pub tokens: Vec<String>,
    /// Tool calls.
    pub calls: Vec<Call>,
    /// Why it ended; `None` when it is cut short.
    pub finish: Option<Finish>,
    /// What it cost, where that is reported.
    pub usage: Option<Usage>,
}

/// One tool call.
pub struct Call {
    /// Its id, where the dialect has one.
    pub id: String,
    /// The tool.
    pub name: String,
    /// A JSON object, as text.
    pub arguments: String,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It was over.
    Stop,
    /// Tools are to be called.
    Tools,
    /// A filter stopped it.
    Filtered,
    /// It was as long as it may be.
    Length,
}

/// Token counts: `input` and `output` are the sums, the others parts of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All input tokens.
    pub input: usize,
    /// Those read from a cache.
    pub cached: usize,
    /// Those written to a cache, where the dialect says so.
    pub written: usize,
    /// All output tokens.
    pub output: usize,
    /// Those of them that were reasoning.
    pub reasoning: usize,
}

/// What the content `usage` reports.
pub const USAGE: Usage = Usage { input: 100, cached: 60, written: 10, output: 20, reasoning: 12 };

impl Answer {
    /// The answer to what was asked.
    pub fn of(order: &Order, asked: &Asked) -> Self {
        let calls = calls(order, asked);
        let tokens = if calls.is_empty() { tokens(order, asked) } else { Vec::new() };
        let thoughts: Vec<String> =
            if order.thinking { THOUGHTS.map(str::to_owned).to_vec() } else { Vec::new() };
        let finish = match order.fault {
            Fault::Eof(_) => None,
            Fault::Filtered(_) => Some(Finish::Filtered),
            Fault::Length(_) => Some(Finish::Length),
            _ if !calls.is_empty() => Some(Finish::Tools),
            _ => Some(Finish::Stop),
        };
        let said = if calls.is_empty() { tokens.len() } else { TOKENS };
        let usage = match (&order.fault, order.content) {
            (Fault::UsageMissing, _) => None,
            (_, Content::Usage) => Some(USAGE),
            _ => Some(Usage {
                input: asked.words(),
                output: said + thoughts.len(),
                reasoning: thoughts.len(),
                ..Usage::default()
            }),
        };
        Self { thoughts, tokens, calls, finish, usage }
    }
}

impl Call {
    /// The arguments in pieces of a few characters each.
    pub fn pieces(&self) -> Vec<String> {
        let characters: Vec<char> = self.arguments.chars().collect();
        characters.chunks(4).map(|piece| piece.iter().collect()).collect()
    }

    /// The arguments as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.arguments).unwrap_or_default()
    }
}

/// The tool calls of an answer that has some: their results are not there yet.
fn calls(order: &Order, asked: &Asked) -> Vec<Call> {
    let arguments = match order.content {
        Content::Tools(count) if asked.result.is_none() => {
            CITIES.iter().cycle().take(count).map(|city| json!({ "city": city }).to_string()).collect()
        }
        Content::Json | Content::BadJson | Content::OffJson if asked.forced => vec![object(order, asked)],
        _ => Vec::new(),
    };
    if let (Content::Runs, Some((name, arguments))) = (order.content, asked.program()) {
        let name = name.to_owned();
        return vec![Call { id: format!("call_wall_{}", asked.results().len()), name, arguments }];
    }
    let name = asked.tool.as_deref().unwrap_or("weather");
    let call = |(index, arguments): (usize, String)| Call {
        id: format!("call_wall_{index}"),
        name: name.to_owned(),
        arguments,
    };
    arguments.into_iter().enumerate().map(call).collect()
}

fn tokens(order: &Order, asked: &Asked) -> Vec<String> {
    match order.content {
        Content::Counted(count) => Asked::counted(count),
        Content::Usage => Asked::counted(TOKENS),
        Content::Long(count) => vec!["long ".repeat(LONG / 5 + 1)[..LONG].to_owned(); count],
        Content::Echo => asked.echo(),
        Content::Stage => asked.stage(),
        Content::Blocks => asked.blocks(),
        Content::Runs => vec!["It gave: ".to_owned(), asked.results().join(" | ")],
        Content::Tools(_) => vec!["The tool said: ".to_owned(), asked.result.clone().unwrap_or_default()],
        Content::Json | Content::BadJson | Content::OffJson => halves(&object(order, asked)),
    }
}

fn object(order: &Order, asked: &Asked) -> String {
    match order.content {
        Content::BadJson => "{\"city\": \"Łódź\", and that is all".to_owned(),
        Content::OffJson => json!({ "nobody": ["asked for", 7] }).to_string(),
        _ => match &asked.schema {
            Some(schema) => sample(schema).to_string(),
            None => json!({ "city": "Łódź", "degrees": 21 }).to_string(),
        },
    }
}

/// A value that fits a schema of the plain kind: types, properties, items, enums and alternatives.
pub fn sample(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].get(0).or(schema.get("const")) {
        return first.clone();
    }
    if let Some(first) = ["anyOf", "oneOf"].iter().find_map(|name| schema[name].get(0)) {
        return sample(first);
    }
    let kind = schema["type"].get(0).unwrap_or(&schema["type"]);
    match kind.as_str().unwrap_or("object").to_ascii_lowercase().as_str() {
        "string" => json!("wall"),
        "integer" => json!(7),
        "number" => json!(1.5),
        "boolean" => json!(true),
        "null" => Value::Null,
        "array" => json!([sample(&schema["items"])]),
        _ => {
            let properties = schema["properties"].as_object();
            let samples = properties.into_iter().flatten().map(|(name, of)| (name.clone(), sample(of)));
            Value::Object(samples.collect())
        }
    }
}

/// A text in two pieces.
fn halves(text: &str) -> Vec<String> {
    let middle = text.chars().count() / 2;
    let (head, tail): (Vec<_>, Vec<_>) = text.chars().enumerate().partition(|(index, _)| *index < middle);
    [head, tail].map(|half| half.into_iter().map(|(_, character)| character).collect()).to_vec()
}
