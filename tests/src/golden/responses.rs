//! Every event and object of the Responses dialect, held against OpenAI's own description of its API.

use std::path::Path;

use jsonschema::Registry;
use libtest_mimic::{Failed, Trial};
use opencode_core::error::{Error, Kind};
use opencode_core::wire::Dialect;
use opencode_core::wire::answer::{Answer, Head};
use opencode_core::wire::conversation::Seal;
use opencode_core::wire::event::{Event, Finish, ToolDelta, Usage};
use opencode_core::wire::json::Members;
use opencode_core::wire::responses::{ECHOED, Encoder, whole};
use serde_json::{Value, json};

const DOCUMENT: &str = "urn:openai-openapi";

/// One trial; none, and a word, where the description is absent.
pub fn trial() -> Option<Trial> {
    let file = crate::captures::shared().join("specs/openai-openapi.json");
    if !file.is_file() {
        crate::suite::say("golden: OpenAI's description is not beside the project; skipped");
        return None;
    }
    Some(Trial::test("responses/schema", move || check(&file)))
}

fn check(file: &Path) -> Result<(), Failed> {
    let document: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let registry = Registry::new().add(DOCUMENT, document)?.prepare()?;
    let validator = |name: &str| {
        let schema = json!({ "$ref": format!("{DOCUMENT}#/components/schemas/{name}") });
        jsonschema::options().with_registry(&registry).build(&schema)
    };
    let (object, event) = (validator("Response")?, validator("ResponseStreamEvent")?);
    for echo in [json!({}), request()] {
        let echo = Members::parse(echo.to_string().as_bytes())?.only(ECHOED);
        let head = Head { id: "01".into(), model: "m".into(), echo, ..Head::default() };
        for finish in [Finish::Stop, Finish::ToolCalls, Finish::Length, Finish::ContentFilter, Finish::Paused]
        {
            let (frames, answer) = written(&head, finish);
            for frame in frames {
                event.validate(&frame).map_err(|error| format!("{error} in {frame}"))?;
            }
            let answer = whole(&head, &answer);
            object.validate(&answer).map_err(|error| format!("{error} in {answer}"))?;
        }
    }
    Ok(())
}

fn request() -> Value {
    json!({
        "instructions": "Be brief.", "temperature": 0.5, "top_p": 0.5, "max_output_tokens": 9, "user": "u",
        "tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": null}},
        "reasoning": {"effort": "low", "summary": "auto"}, "metadata": {"a": "b"}, "truncation": "disabled",
        "parallel_tool_calls": null, "safety_identifier": "s", "prompt_cache_key": "k", "top_logprobs": 0,
    })
}

/// All kinds of events, then a genuine end; and, numbered anew, one that broke.
fn written(head: &Head, finish: Finish) -> (Vec<Value>, Answer) {
    let call = ToolDelta {
        index: 0,
        id: Some("c".into()),
        name: Some("f".into()),
        arguments: "{}".into(),
        seal: Some(Seal::signature(Dialect::Gemini, "s")),
        ..ToolDelta::default()
    };
    let events = [
        Event::Thinking("t".into()),
        Event::Sealed(Seal::signature(Dialect::Anthropic, "s")),
        Event::Text("a".into()),
        Event::Refusal("b".into()),
        Event::Tool(call),
        Event::Finish(finish),
    ];
    let (mut ended, mut broken) = (Encoder::new(head.clone()), Encoder::new(head.clone()));
    let (mut out, mut answer) = (bytes::BytesMut::new(), Answer::default());
    for event in &events {
        ended.event(event, &mut out);
        broken.event(event, &mut out);
        answer.add(event);
    }
    ended.tail(Usage { input: 1, output: 1, ..Usage::default() }, &mut out);
    broken.broken(&Error::new(Kind::Upstream, "cut"), "trace", &mut out);
    let text = String::from_utf8_lossy(&out).into_owned();
    let frames = text.lines().filter_map(|line| line.strip_prefix("data: "));
    (frames.map(|data| serde_json::from_str(data).unwrap_or_default()).collect(), answer)
}
