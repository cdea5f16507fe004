//! What a recording says, read from its JSON by simpler code than the decoders': this code may know every event before
//! it reads the first.

use std::collections::BTreeMap;

use opencode_core::wire::Dialect;
use opencode_core::wire::answer::{Answer, Block};
use opencode_core::wire::event::Usage;
use serde_json::{Value, json};

/// What an answer comes to.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    pub text: String,
    pub thinking: String,
    /// Names and arguments.
    pub calls: Vec<(String, Value)>,
}

impl Said {
    /// What a decoder made of it.
    pub fn heard(answer: &Answer) -> Self {
        let mut said = Self::default();
        for block in &answer.blocks {
            match block {
                Block::Text(text) => said.text.push_str(text),
                Block::Thinking { text, .. } => said.thinking.push_str(text),
                Block::Tool(tool) => said.call(tool.name.as_deref().unwrap_or_default(), &tool.arguments),
                Block::Refusal(_) | Block::Run(_) => {}
            }
        }
        said
    }

    fn call(&mut self, name: &str, arguments: &str) {
        let arguments = if arguments.is_empty() { "{}" } else { arguments };
        self.calls.push((name.to_owned(), serde_json::from_str(arguments).unwrap_or(json!(arguments))));
    }
}

/// What the events of one answer say, and the token counts if they report any.
pub fn read(dialect: Dialect, events: &[Value]) -> (Said, Option<Usage>) {
    match dialect {
        Dialect::OpenAi => openai(events),
        Dialect::Responses => responses(events),
        Dialect::Anthropic => anthropic(events),
        Dialect::Gemini => gemini(events),
    }
}

fn openai(events: &[Value]) -> (Said, Option<Usage>) {
    let (mut said, mut usage) = (Said::default(), None);
    let mut calls: BTreeMap<u64, (String, String)> = BTreeMap::new();
    for chunk in events {
        let delta = &chunk["choices"][0]["delta"];
        said.text.push_str(text(&delta["content"]));
        said.thinking.push_str(text(&delta["reasoning_content"]));
        // Mistral's reasoning models send parts.
        for part in list(&delta["content"]) {
            said.text.push_str(text(&part["text"]));
            said.thinking.push_str(text(&part["thinking"][0]["text"]));
        }
        for call in list(&delta["tool_calls"]) {
            let (name, arguments) = calls.entry(count(&call["index"])).or_default();
            name.push_str(text(&call["function"]["name"]));
            arguments.push_str(text(&call["function"]["arguments"]));
        }
        for counts in [&chunk["x_groq"]["usage"], &chunk["usage"]].into_iter().filter(|it| it.is_object()) {
            let input = count(&counts["prompt_tokens"]);
            usage = Some(Usage {
                input,
                // In every recording the total is right, also where `completion_tokens` leaves reasoning out.
                output: count(&counts["total_tokens"]).saturating_sub(input),
                cached: count(&counts["prompt_tokens_details"]["cached_tokens"]),
                reasoning: count(&counts["completion_tokens_details"]["reasoning_tokens"]),
                cache_write: 0,
            });
        }
    }
    calls.values().for_each(|(name, arguments)| said.call(name, arguments));
    (said, usage)
}

/// Texts are their pieces: some recordings' long ones were shortened there alone. All else stands whole in its item.
fn responses(events: &[Value]) -> (Said, Option<Usage>) {
    let mut said = Said::default();
    for event in events {
        let item = &event["item"];
        match (text(&event["type"]), text(&item["type"])) {
            ("response.output_text.delta", _) => said.text.push_str(text(&event["delta"])),
            ("response.output_item.done", "reasoning") => {
                let shown = list(&item["summary"]).chain(list(&item["content"]));
                shown.for_each(|part| said.thinking.push_str(text(&part["text"])));
            }
            ("response.output_item.done", "function_call") => {
                said.call(text(&item["name"]), text(&item["arguments"]));
            }
            // Those of tools that the provider runs itself are not the caller's to answer.
            ("response.output_item.done", "custom_tool_call")
                if list(&events[0]["response"]["tools"]).any(|tool| tool["name"] == item["name"]) =>
            {
                said.call(text(&item["name"]), &json!({"input": item["input"]}).to_string());
            }
            _ => {}
        }
    }
    let response = events.last().map_or(&Value::Null, |event| &event["response"]);
    let counts = &response["usage"];
    let usage = Usage {
        input: count(&counts["input_tokens"]),
        output: count(&counts["output_tokens"]),
        cached: count(&counts["input_tokens_details"]["cached_tokens"]),
        reasoning: count(&counts["output_tokens_details"]["reasoning_tokens"]),
        cache_write: count(&counts["input_tokens_details"]["cache_write_tokens"]),
    };
    (said, counts.is_object().then_some(usage))
}

fn anthropic(events: &[Value]) -> (Said, Option<Usage>) {
    let mut said = Said::default();
    let mut calls: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut counts = Value::Null;
    for event in events {
        let (index, delta) = (count(&event["index"]), &event["delta"]);
        let block = &event["content_block"];
        if block["type"] == "tool_use" {
            calls.insert(index, (text(&block["name"]).to_owned(), String::new()));
        }
        if let Some((_, arguments)) = calls.get_mut(&index) {
            arguments.push_str(text(&delta["partial_json"]));
        }
        said.text.push_str(text(&delta["text"]));
        said.thinking.push_str(text(&delta["thinking"]));
        for report in [&event["message"]["usage"], &event["usage"]] {
            for (name, value) in report.as_object().into_iter().flatten() {
                counts[name] = value.clone();
            }
        }
    }
    calls.values().for_each(|(name, arguments)| said.call(name, arguments));
    let mut usage = anthropic_usage(&counts);
    // The outer counts are without the compaction of the context, and it is billed.
    for part in list(&counts["iterations"]).filter(|part| part["type"] == "compaction") {
        usage = usage.plus(anthropic_usage(part));
    }
    (said, counts.is_object().then_some(usage))
}

fn anthropic_usage(counts: &Value) -> Usage {
    let cached = count(&counts["cache_read_input_tokens"]);
    let cache_write = count(&counts["cache_creation_input_tokens"]);
    let input = count(&counts["input_tokens"]) + cached + cache_write;
    let reasoning = count(&counts["output_tokens_details"]["thinking_tokens"]);
    Usage { input, output: count(&counts["output_tokens"]), cached, reasoning, cache_write }
}

fn gemini(events: &[Value]) -> (Said, Option<Usage>) {
    let mut said = Said::default();
    for part in events.iter().flat_map(|chunk| list(&chunk["candidates"][0]["content"]["parts"])) {
        let target = if part["thought"] == true { &mut said.thinking } else { &mut said.text };
        target.push_str(text(&part["text"]));
        let call = &part["functionCall"];
        if call["name"].is_string() {
            let arguments = if call["args"].is_object() { call["args"].clone() } else { json!({}) };
            said.calls.push((text(&call["name"]).to_owned(), arguments));
        }
        // The recorded pieces are of texts right under the root.
        for piece in list(&call["partialArgs"]) {
            let Some((_, arguments)) = said.calls.last_mut() else { continue };
            let name = text(&piece["jsonPath"]).trim_start_matches("$.");
            let value = format!("{}{}", text(&arguments[name]), text(&piece["stringValue"]));
            arguments[name] = json!(value);
        }
    }
    let counts = events.last().map_or(&Value::Null, |chunk| &chunk["usageMetadata"]);
    let input = count(&counts["promptTokenCount"]);
    let usage = Usage {
        input,
        output: count(&counts["totalTokenCount"]).saturating_sub(input),
        cached: count(&counts["cachedContentTokenCount"]),
        reasoning: count(&counts["thoughtsTokenCount"]),
        cache_write: 0,
    };
    (said, counts.is_object().then_some(usage))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
