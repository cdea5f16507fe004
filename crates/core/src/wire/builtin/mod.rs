//! Providers' own tools that the platform has as well: code that a model writes is run in the platform's sandbox where
//! its provider has none.
//!
//! To such a target the tool is a function. An [`Offer`] is the caller's request written in this way, in the caller's own
//! dialect, so that what was said and run before goes the way of every other call and its result.

mod anthropic;
mod openai;
mod responses;
#[cfg(test)]
mod tests;

use serde_json::value::RawValue;

use super::Dialect;
use super::answer::Answer;
use super::json::{Members, parse};
use crate::error::Error;

/// OpenAI's name of the tool: its type.
const INTERPRETER: &str = "code_interpreter";
/// What the types of Anthropic's begin with, before a date.
const EXECUTION: &str = "code_execution_";

/// What a model may call to have code run.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// As the caller's dialect names it.
    pub name: &'static str,
    /// A language of the sandbox.
    pub language: &'static str,
    /// The one argument: the code.
    pub argument: &'static str,
    about: &'static str,
}

const PYTHON: &str = "Runs a Python program in a sandbox without a network and gives what it prints, and the value of its \
    last expression. numpy, pandas, matplotlib, scipy, sympy and openpyxl are installed. Each run starts anew: variables \
    are gone, files in the working folder stay. Plots that it shows and files that it writes reach the user.";
const BASH: &str = "Runs a Bash script in a sandbox without a network and gives what it prints. Each run starts anew; \
    files in the working folder stay, and reach the user.";

const OF_OPENAI: &[Function] =
    &[Function { name: INTERPRETER, language: "python", argument: "code", about: PYTHON }];
const OF_ANTHROPIC: &[Function] = &[
    Function { name: "code_execution", language: "python", argument: "code", about: PYTHON },
    Function { name: "bash_code_execution", language: "bash", argument: "command", about: BASH },
];

/// The functions that stand for the tool in a dialect.
pub fn functions(dialect: Dialect) -> &'static [Function] {
    match dialect {
        Dialect::OpenAi | Dialect::Responses => OF_OPENAI,
        Dialect::Anthropic => OF_ANTHROPIC,
        Dialect::Gemini => &[],
    }
}

/// A request that asks for the tool, with functions in its place.
#[derive(Clone, Debug)]
pub struct Offer {
    /// In the caller's dialect.
    pub members: Members,
    /// Whose files the runs take up and leave, where the caller named it.
    pub container: Option<String>,
    /// The memory that the caller asked for, in bytes.
    pub memory: Option<u64>,
    /// The most runs that the caller wants.
    pub most: Option<u64>,
}

/// The request with functions in the tool's place, if it asks for the tool. The error names what of it the platform
/// does not have.
pub fn offer(dialect: Dialect, members: &Members) -> Option<Result<Offer, Error>> {
    let tools = members.read::<Vec<Members>>("tools").ok().flatten()?;
    let place = tools.iter().position(|tool| is_asked(dialect, &text(tool, "type")))?;
    Some(replace(dialect, members, tools, place))
}

/// Whether a target that speaks `target` has the tool itself, for a caller of `caller`: OpenAI has it in Responses alone.
pub fn has_own(caller: Dialect, target: Dialect) -> bool {
    caller == target && matches!(caller, Dialect::Responses | Dialect::Anthropic)
}

impl Offer {
    /// Adds what a model said, and what came of each of its calls, in their order: the next question.
    pub fn go_on(&mut self, dialect: Dialect, id: &str, said: &Answer, results: &[String]) {
        let members = &mut self.members;
        match dialect {
            Dialect::OpenAi => openai::go_on(members, id, said, results),
            Dialect::Responses => responses::go_on(members, id, said, results),
            Dialect::Anthropic => anthropic::go_on(members, id, said, results),
            Dialect::Gemini => {}
        }
    }

    /// Lets the model call nothing any more.
    pub fn no_more(&mut self, dialect: Dialect) {
        match dialect {
            Dialect::Anthropic => self.members.set_text("tool_choice", r#"{"type":"none"}"#),
            _ => self.members.set("tool_choice", &"none"),
        }
    }
}

fn is_asked(dialect: Dialect, kind: &str) -> bool {
    match dialect {
        Dialect::OpenAi | Dialect::Responses => kind == INTERPRETER,
        Dialect::Anthropic => kind
            .strip_prefix(EXECUTION)
            .is_some_and(|date| !date.is_empty() && date.bytes().all(|byte| byte.is_ascii_digit())),
        Dialect::Gemini => false,
    }
}

fn replace(
    dialect: Dialect,
    members: &Members,
    mut tools: Vec<Members>,
    place: usize,
) -> Result<Offer, Error> {
    let tool = tools.remove(place);
    let (mut members, at) = (members.clone(), format!("tools[{place}]"));
    for (index, other) in tools.iter().enumerate() {
        let index = if index < place { index } else { index.saturating_add(1) };
        let nested = other.read::<Members>("function").ok().flatten().unwrap_or_default();
        let names = [text(other, "name"), text(&nested, "name")];
        if is_asked(dialect, &text(other, "type")) {
            return Err(refuse(&format!("tools[{index}]"), "is the same tool again: name it once"));
        }
        if functions(dialect).iter().any(|function| names.iter().any(|name| name == function.name)) {
            return Err(refuse(
                &format!("tools[{index}].name"),
                "is the name of the tool that runs code: call yours otherwise",
            ));
        }
    }
    let mut offer = match dialect {
        Dialect::Anthropic => anthropic::offer(&mut members, &tool, &at)?,
        _ => openai::container(&tool, &at)?,
    };
    let (before, after) = tools.split_at(place.min(tools.len()));
    let texts = |tools: &[Members]| tools.iter().map(Members::text).collect::<Vec<_>>();
    let shown = functions(dialect).iter().map(|function| shown(dialect, function)).collect();
    put(&mut members, "tools", &[texts(before), shown, texts(after)].concat());
    match dialect {
        Dialect::OpenAi => openai::choose(&mut members),
        Dialect::Responses => {
            openai::choose(&mut members);
            responses::history(&mut members);
            offer.most =
                members.read::<f64>("max_tool_calls").ok().flatten().map(|most| most.max(0.0) as u64);
        }
        Dialect::Anthropic => anthropic::history(&mut members),
        Dialect::Gemini => {}
    }
    offer.members = members;
    Ok(offer)
}

/// A function as a dialect defines it.
fn shown(dialect: Dialect, function: &Function) -> String {
    let Function { name, argument, about, .. } = function;
    let schema = format!(
        r#"{{"type":"object","properties":{{"{argument}":{{"type":"string"}}}},"required":["{argument}"],"additionalProperties":false}}"#
    );
    match dialect {
        Dialect::Anthropic => {
            format!(r#"{{"name":"{name}","description":"{about}","input_schema":{schema}}}"#)
        }
        Dialect::Responses => format!(
            r#"{{"type":"function","name":"{name}","description":"{about}","parameters":{schema},"strict":false}}"#
        ),
        Dialect::OpenAi | Dialect::Gemini => format!(
            r#"{{"type":"function","function":{{"name":"{name}","description":"{about}","parameters":{schema}}}}}"#
        ),
    }
}

/// The elements of a list, each as it was written. Texts, because each type that is read or written anew costs the
/// Worker kilobytes.
fn list(members: &Members, name: &str) -> Vec<String> {
    let text = members.get(name).map(RawValue::get).unwrap_or_default();
    let items = parse::<Vec<&RawValue>>(text).unwrap_or_default();
    items.into_iter().map(|item| item.get().to_owned()).collect()
}

/// Sets a member to a list of these elements.
fn put(members: &mut Members, name: &str, items: &[String]) {
    members.set_text(name, &format!("[{}]", items.join(",")));
}

fn kind_of(item: &str) -> String {
    parse::<Members>(item).map(|members| text(&members, "type")).unwrap_or_default()
}

fn text(members: &Members, name: &str) -> String {
    members.read(name).ok().flatten().unwrap_or_default()
}

fn refuse(at: &str, what: &str) -> Error {
    Error::invalid(format!("`{at}` {what}")).at(at)
}
