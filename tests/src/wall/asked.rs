//! What was asked, whichever dialect said it.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::dialect::Dialect;
use super::reason::Reason;

/// One request.
pub struct Asked {
    /// How it was said.
    pub dialect: Dialect,
    /// The model, fault and tag included.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether a chat stream ends with a usage frame.
    pub usage: bool,
    /// How many answers are wanted: `n` of a chat, otherwise 1.
    pub choices: usize,
    /// The member of the body that holds the conversation.
    pub talk: &'static str,
    /// The content of the last message of the user.
    pub said: Value,
    /// The first tool that was offered.
    pub tool: Option<String>,
    /// Whether it must be called: how structured output is had where there is no other way.
    pub forced: bool,
    /// What the first tool said, when the conversation ends with a tool's result.
    pub result: Option<String>,
    /// Whether the last message is the assistant's.
    pub prefilled: bool,
    /// The JSON schema that the answer is to fit.
    pub schema: Option<Value>,
    /// Whether encrypted reasoning was asked for, where that is asked for.
    pub encrypted: bool,
    /// Why the provider would refuse it, whatever the model.
    pub complaint: Option<Reason>,
    /// Why a model that thinks would refuse it: a call that came back without its seal.
    pub unsealed: Option<Reason>,
    /// The whole request.
    pub json: Value,
}

impl Asked {
    /// Nothing but a model.
    pub(super) fn new(dialect: Dialect, model: &str, stream: bool, talk: &'static str, json: Value) -> Self {
        Self {
            dialect,
            model: model.to_owned(),
            stream,
            usage: false,
            choices: 1,
            talk,
            said: Value::Null,
            tool: None,
            forced: false,
            result: None,
            prefilled: false,
            schema: None,
            encrypted: false,
            complaint: None,
            unsealed: None,
            json,
        }
    }

    /// The conversation's messages; none when it is not a list.
    pub(super) fn messages(&self) -> Vec<Value> {
        self.json[self.talk].as_array().cloned().unwrap_or_default()
    }

    /// Notes why the provider would refuse the request, if nothing was noted before.
    pub(super) fn complain(&mut self, what: Option<Reason>) {
        if self.complaint.is_none() {
            self.complaint = what;
        }
    }

    /// How many input tokens that is: the conversation's words.
    pub fn words(&self) -> usize {
        self.json[self.talk].to_string().split_whitespace().count()
    }

    /// `tok0 tok1 …`, each with its space.
    pub fn counted(count: usize) -> Vec<String> {
        (0..count).map(|n| if n == 0 { "tok0".to_owned() } else { format!(" tok{n}") }).collect()
    }

    /// The last user message and every parameter, as one JSON text.
    pub fn echo(&self) -> Vec<String> {
        let mut parameters = self.json.clone();
        if let Some(map) = parameters.as_object_mut() {
            map.remove(self.talk);
        }
        vec![json!({ "user": self.said, "parameters": parameters }).to_string()]
    }

    /// The first fenced block of the first user message; where a later one says that a block of it `failed`, the block
    /// after that one; otherwise, or when there is none, the last user message.
    pub fn blocks(&self) -> Vec<String> {
        let messages = self.messages();
        let texts: Vec<String> =
            messages.iter().filter(|it| it["role"] == "user").map(|it| text(&it["content"])).collect();
        let first = texts.first().map(String::as_str).unwrap_or_default();
        let mut blocks = first.split("```").skip(1).step_by(2);
        let last = texts.last().map(String::as_str).unwrap_or_default();
        let block = match texts.get(1) {
            None => blocks.next(),
            Some(_) if !last.contains("and failed") => None,
            Some(tried) => {
                blocks.find(|block| {
                    tried.contains(block.trim_end().split_once('\n').map_or("", |(_, code)| code))
                });
                blocks.next()
            }
        };
        vec![block.map_or_else(|| last.to_owned(), |block| format!("```{block}```"))]
    }

    /// What tools said, in order, whichever dialect says so.
    pub fn results(&self) -> Vec<String> {
        let mut found = Vec::new();
        results(&self.json[self.talk], &mut found);
        found
    }

    /// The function and the arguments that have the next fenced block of the question run, if one is left.
    pub fn program(&self) -> Option<(&str, String)> {
        let mut texts = Vec::new();
        strings(&self.json[self.talk], &mut texts);
        let question = texts.iter().find(|text| text.contains("```"))?;
        let block = question.split("```").skip(1).step_by(2).nth(self.results().len())?;
        let (language, code) = block.split_once('\n')?;
        Some(match language {
            "bash" => ("bash_code_execution", json!({ "command": code }).to_string()),
            _ => (self.tool.as_deref()?, json!({ "code": code }).to_string()),
        })
    }

    /// Words that depend on the conversation and on nothing else.
    pub fn stage(&self) -> Vec<String> {
        let digest = Sha256::digest(self.json[self.talk].to_string().as_bytes());
        let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        vec!["stage".to_owned(), format!(" {}", &hex[..8]), format!(" {}", &hex[8..])]
    }
}

fn results(value: &Value, found: &mut Vec<String>) {
    let result = match value {
        _ if value["role"] == "tool" => &value["content"],
        _ if value["type"] == "function_call_output" => &value["output"],
        _ if value["type"] == "tool_result" => &value["content"],
        _ if value["functionResponse"].is_object() => &value["functionResponse"]["response"],
        Value::Array(values) => return values.iter().for_each(|value| results(value, found)),
        Value::Object(members) => return members.values().for_each(|value| results(value, found)),
        _ => return,
    };
    let mut said = Vec::new();
    strings(result, &mut said);
    found.push(said.into_iter().filter(|text| text != "text").collect());
}

/// Every text, however deep.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        Value::Object(members) => members.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

/// A text, or any other value as JSON text.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The last message of this role.
pub(super) fn last_of<'a>(messages: &'a [Value], role: &str) -> Option<&'a Value> {
    messages.iter().rev().find(|message| message["role"] == role)
}
