//! A caller's tools and whether to call them.

use super::fields::{Object, wrong};
use super::schema::json_schema;
use crate::error::Error;
use crate::wire::conversation::{Choice, Tool};
use crate::wire::json::Members;

/// The functions that may be called, and the choice. Built-in tools are foreign.
///
/// A list of allowed names leaves the other functions out, because none of them could be called.
pub(super) fn read(
    request: &Object,
    foreign: &mut Vec<String>,
) -> Result<(Vec<Tool>, Option<Choice>), Error> {
    let mut tools = Vec::new();
    for tool in request.list("tools")? {
        foreign.extend(tool.others(&["functionDeclarations"]));
        for function in tool.list("functionDeclarations")? {
            tools.push(declared(&function, foreign)?);
        }
    }
    let Some(config) = request.object("toolConfig")? else { return Ok((tools, None)) };
    foreign.extend(config.others(&["functionCallingConfig"]));
    let Some(calling) = config.object("functionCallingConfig")? else { return Ok((tools, None)) };
    foreign.extend(calling.others(&["mode", "allowedFunctionNames", "streamFunctionCallArguments"]));
    let mode = calling.text("mode")?.unwrap_or_default().to_ascii_uppercase();
    let allowed: Vec<String> =
        calling.read("allowedFunctionNames", "an array of strings")?.unwrap_or_default();
    if let Some(unknown) = allowed.iter().find(|name| !tools.iter().any(|tool| tool.name == **name)) {
        let detail = format!("has {unknown:?}, which is not in `tools`");
        return Err(wrong(&calling.at("allowedFunctionNames"), detail));
    }
    let choice = match mode.as_str() {
        "" | "MODE_UNSPECIFIED" => None,
        "AUTO" => Some(Choice::Auto),
        "NONE" => Some(Choice::Never),
        "VALIDATED" => {
            tools.iter_mut().for_each(|tool| tool.strict = Some(true));
            Some(Choice::Auto)
        }
        "ANY" => Some(match &allowed[..] {
            [name] => return Ok((tools, Some(Choice::Named(name.clone())))),
            _ => Choice::Any,
        }),
        other => {
            let detail = format!("is {other:?}: it must be AUTO, ANY, NONE or VALIDATED");
            return Err(wrong(&calling.at("mode"), detail));
        }
    };
    if !allowed.is_empty() {
        tools.retain(|tool| allowed.contains(&tool.name));
    }
    Ok((tools, choice))
}

fn declared(function: &Object, foreign: &mut Vec<String>) -> Result<Tool, Error> {
    let known = [
        "name",
        "description",
        "parameters",
        "parametersJsonSchema",
        "response",
        "responseJsonSchema",
        "behavior",
    ];
    foreign.extend(function.others(&known));
    if function.text("behavior")?.is_some_and(|behavior| behavior == "NON_BLOCKING") {
        foreign.push(function.at("behavior"));
    }
    let name = function.text("name")?.unwrap_or_default();
    if name.is_empty() {
        return Err(wrong(&function.at("name"), "must be the function's name"));
    }
    let schema = match function.read::<Members>("parametersJsonSchema", "a JSON Schema: an object")? {
        Some(schema) => Some(schema),
        None => function.read::<Members>("parameters", "a schema")?.as_ref().map(json_schema),
    };
    Ok(Tool { name, description: function.text("description")?, schema, ..Tool::default() })
}
