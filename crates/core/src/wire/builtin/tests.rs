use serde_json::{Value, json};

use super::*;
use crate::wire::event::{Event, ToolDelta};

fn members(body: &Value) -> Members {
    Members::parse(body.to_string().as_bytes()).unwrap()
}

fn offered(dialect: Dialect, body: &Value) -> Value {
    parse(&offer(dialect, &members(body)).unwrap().unwrap().members.text()).unwrap()
}

/// What a model said that calls a function once.
fn called(name: &str, arguments: &str) -> Answer {
    let mut answer = Answer::default();
    let (id, name) = (Some("call_1".to_owned()), Some(name.to_owned()));
    answer.add(&Event::Text("I compute.".to_owned()));
    answer.add(&Event::Tool(ToolDelta { id, name, arguments: arguments.to_owned(), ..ToolDelta::default() }));
    answer
}

#[test]
fn only_a_request_that_asks_for_it_is_written_anew() {
    let plain = json!({"tools": [{"type": "function", "name": "f"}]});
    for dialect in [Dialect::OpenAi, Dialect::Responses, Dialect::Anthropic, Dialect::Gemini] {
        assert!(offer(dialect, &members(&plain)).is_none());
        assert!(offer(dialect, &members(&json!({}))).is_none());
    }
    let wrong = json!({"tools": [{"type": "code_execution_x", "name": "code_execution"}]});
    assert!(offer(Dialect::Anthropic, &members(&wrong)).is_none());
}

#[test]
fn functions_stand_in_the_tools_place_and_a_wish_for_it_is_one_for_them() {
    let body = json!({
        "input": "hi",
        "tools": [{"type": "function", "name": "f"}, {"type": "code_interpreter", "container": {"type": "auto"}}, {"type": "function", "name": "g"}],
        "tool_choice": {"type": "code_interpreter"},
    });
    let offered = offered(Dialect::Responses, &body);
    let names: Vec<_> =
        offered["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["f", "code_interpreter", "g"]);
    assert_eq!(offered["tool_choice"], json!({"type": "function", "name": "code_interpreter"}));
    let body = json!({"messages": [], "tools": [{"type": "code_interpreter"}], "tool_choice": {"type": "code_interpreter"}});
    let offered = self::offered(Dialect::OpenAi, &body);
    assert_eq!(offered["tools"][0]["function"]["parameters"]["required"], json!(["code"]));
    assert_eq!(offered["tool_choice"]["function"]["name"], "code_interpreter");
    let body = json!({"messages": [], "tools": [{"type": "code_execution_20250825", "name": "code_execution"}], "container": "mine"});
    let offer = offer(Dialect::Anthropic, &members(&body)).unwrap().unwrap();
    assert_eq!(offer.container.as_deref(), Some("mine"));
    assert!(offer.members.get("container").is_none());
    let tools: Vec<Value> = offer.members.read("tools").unwrap().unwrap();
    assert_eq!(tools[0]["name"], "code_execution");
    assert_eq!(tools[1]["input_schema"]["required"], json!(["command"]));
}

#[test]
fn what_the_platform_does_not_have_is_refused_by_its_name() {
    let at =
        |dialect, body: Value| offer(dialect, &members(&body)).unwrap().err().and_then(|error| error.param);
    let tool = |container: Value| json!({"tools": [{"type": "code_interpreter", "container": container}]});
    let responses = |container| at(Dialect::Responses, tool(container));
    assert_eq!(responses(json!({"type": "auto", "file_ids": []})), None);
    assert_eq!(
        responses(json!({"type": "auto", "memory_limit": "4g", "network_policy": {"type": "disabled"}})),
        None
    );
    for (container, field) in [
        (json!(7), "tools[0].container"),
        (json!({"type": "auto", "file_ids": ["file-1"]}), "tools[0].container.file_ids"),
        (json!({"type": "auto", "memory_limit": "much"}), "tools[0].container.memory_limit"),
        (
            json!({"type": "auto", "network_policy": {"type": "allowlist"}}),
            "tools[0].container.network_policy",
        ),
    ] {
        assert_eq!(responses(container), Some(field.to_owned()));
    }
    let twice = json!({"tools": [{"type": "code_interpreter"}, {"type": "code_interpreter"}]});
    assert_eq!(at(Dialect::Responses, twice).as_deref(), Some("tools[1]"));
    let taken = json!({"tools": [{"type": "function", "function": {"name": "code_interpreter"}}, {"type": "code_interpreter"}]});
    assert_eq!(at(Dialect::OpenAi, taken).as_deref(), Some("tools[0].name"));
    let strange =
        json!({"tools": [{"type": "code_execution_20250522", "name": "code_execution", "speed": 1}]});
    assert_eq!(at(Dialect::Anthropic, strange).as_deref(), Some("tools[0].speed"));
}

/// Whatever was run before or now is read by the dialect as calls and their results.
#[test]
fn earlier_runs_and_those_of_this_answer_are_calls_with_results() {
    let ran = json!({"type": "code_interpreter_call", "id": "ci_1", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]});
    let responses = json!({"model": "m", "input": [{"role": "user", "content": "hi"}, ran], "tools": [{"type": "code_interpreter"}]});
    let blocks = json!([
        {"type": "text", "text": "so"},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "bash_code_execution", "input": {"command": "ls"}},
        {"type": "bash_code_execution_tool_result", "tool_use_id": "srvtoolu_1", "content": {"stdout": "2"}},
        {"type": "text", "text": "done"},
    ]);
    let anthropic = json!({
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": blocks}, {"role": "user", "content": "on"}],
        "tools": [{"type": "code_execution_20250522", "name": "code_execution"}],
    });
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "code_interpreter"}]});
    for (dialect, body, calls) in
        [(Dialect::Responses, responses, 2), (Dialect::Anthropic, anthropic, 2), (Dialect::OpenAi, chat, 1)]
    {
        let mut offer = offer(dialect, &members(&body)).unwrap().unwrap();
        let function = &functions(dialect)[0];
        let said = called(function.name, &json!({function.argument: "2+2"}).to_string());
        offer.go_on(dialect, "01ABC", &said, &["4".to_owned()]);
        let read = dialect.read(&offer.members).unwrap();
        assert!(read.foreign.is_empty(), "{dialect:?} {:?}", read.foreign);
        let parts: Vec<_> = read.messages.iter().flat_map(|message| &message.parts).collect();
        use crate::wire::conversation::Part;
        let made: Vec<_> = parts
            .iter()
            .filter_map(|part| if let Part::Call(call) = part { Some(&call.id) } else { None })
            .collect();
        let got: Vec<_> = parts
            .iter()
            .filter_map(|part| if let Part::Result(result) = part { Some(&result.id) } else { None })
            .collect();
        assert_eq!(made.len(), calls, "{dialect:?}");
        assert_eq!(made, got, "{dialect:?}");
        let last = format!("{:?}", parts.last());
        assert!(last.contains('4'), "{dialect:?} {last}");
        offer.no_more(dialect);
        assert_eq!(
            dialect.read(&offer.members).unwrap().choice,
            Some(crate::wire::conversation::Choice::Never)
        );
    }
}
