use super::*;
use crate::wire::builtin::offer;
use crate::wire::event::ToolDelta;
use serde_json::json;

fn interpreter(runs: u8) -> Interpreter {
    let body =
        br#"{"model":"m","input":"hi","tools":[{"type":"code_interpreter"},{"type":"function","name":"f"}]}"#;
    let members = Members::parse(body).unwrap();
    let offer = offer(Dialect::Responses, &members).unwrap().unwrap();
    let files = Files { session: Some("cntr_1".to_owned()), expires: 9 };
    Interpreter::new(Dialect::Responses, members, offer, "01ABC", files, runs)
}

fn call(index: u32, name: &str, arguments: &str) -> Event {
    let (id, name) = (Some(format!("call_{index}")), Some(name.to_owned()));
    Event::Tool(ToolDelta { index, id, name, arguments: arguments.to_owned(), ..ToolDelta::default() })
}

fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}

/// What is said, in short.
fn short(events: &[Event]) -> Vec<String> {
    let events = events.iter().map(|event| match event {
        Event::Text(text) => text.clone(),
        Event::Tool(tool) => format!("call {} {}", tool.index, tool.name.as_deref().unwrap_or_default()),
        Event::Finish(finish) => format!("{finish:?}"),
        Event::Run(run) => match &run.end {
            None => format!("run {} {}", run.number, run.code),
            Some(end) => match &end.refused {
                None => format!("ran {} {}", run.number, end.stdout),
                Some(why) => format!("refused {} {why}", run.number),
            },
        },
        other => format!("{other:?}"),
    });
    events.collect()
}

/// One ask: what the caller hears of what a model says.
fn ask(run: &mut Interpreter, events: Vec<Event>) -> Vec<String> {
    assert!(matches!(run.next(), Next::All(ops) if matches!(ops[0], Op::Ask { .. })));
    let mut heard = run.hear(Dialect::Anthropic, events);
    run.absorb();
    heard.extend(run.say());
    short(&heard)
}

fn code(run: &Interpreter) -> String {
    match run.next() {
        Next::All(mut ops) => match ops.remove(0) {
            Op::Execute { code, .. } => code.text,
            Op::Ask { .. } => "ask".to_owned(),
        },
        Next::Done => "done".to_owned(),
        Next::Failed(error) => error.detail,
    }
}

fn good(out: &str) -> Result<Value, Error> {
    Ok(
        json!({"status": "ok", "exit_code": 0, "stdout": out, "artifacts": [{"name": "a", "bytes": 1000, "content": "eA=="}]}),
    )
}

#[test]
fn code_is_run_between_the_asks_of_one_answer() {
    let mut run = interpreter(4);
    let calls = call(0, "code_interpreter", r#"{"code":"1+1"}"#);
    assert_eq!(
        ask(&mut run, vec![text("let me see"), calls, Event::Finish(Finish::ToolCalls)]),
        ["let me see", "run 0 1+1"]
    );
    assert_eq!(code(&run), "1+1");
    run.ran(good("2"));
    assert_eq!((short(&run.say()), code(&run)), (vec!["ran 0 2".to_owned()], "ask".to_owned()));
    assert!(matches!(run.prompt(), Prompt::Own(Dialect::Responses, _)), "nobody else's tool takes over");
    assert_eq!(ask(&mut run, vec![text("it is 2"), Event::Finish(Finish::Stop)]), ["it is 2", "Stop"]);
    assert_eq!((code(&run).as_str(), run.files_left), ("done", FILES - 1000));
}

#[test]
fn the_callers_own_tools_end_the_answer_after_what_was_run() {
    let mut run = interpreter(4);
    let events = vec![
        call(0, "code_interpreter", r#"{"code":"1"}"#),
        call(1, "f", "{}"),
        call(2, "code_interpreter", "no JSON"),
        Event::Finish(Finish::ToolCalls),
    ];
    assert_eq!(ask(&mut run, events), ["call 0 f", "run 0 1"]);
    run.ran(Err(Error::new(Kind::Unavailable, "none here")));
    let refused = "refused 1 the arguments must be an object with the text `code`";
    assert_eq!(short(&run.say()), ["refused 0 none here", "run 1 ", refused, "ToolCalls"]);
    assert_eq!(code(&run), "done");
}

#[test]
fn runs_are_bounded() {
    let mut run = interpreter(1);
    let calls = || {
        vec![
            call(0, "code_interpreter", r#"{"code":"1"}"#),
            call(1, "code_interpreter", r#"{"code":"2"}"#),
            Event::Finish(Finish::ToolCalls),
        ]
    };
    assert_eq!((ask(&mut run, calls()), run.asks_left()), (vec!["run 0 1".to_owned()], 1));
    run.ran(good(""));
    let used = "refused 1 the runs of this answer are used up";
    assert_eq!(short(&run.say()), ["ran 0 ", "run 1 2", used]);
    assert!(run.offer.members.text().contains(r#""tool_choice":"none""#));
    ask(&mut run, calls());
    assert!(code(&run).contains("used up"));
}

#[test]
fn a_target_that_has_the_tool_answers_alone_and_a_call_that_was_cut_off_is_not_run() {
    let mut run = interpreter(4);
    let events = vec![call(0, "code_interpreter", "{}"), Event::Finish(Finish::Stop)];
    assert_eq!(run.hear(Dialect::Responses, events.clone()), events);
    run.absorb();
    assert_eq!(code(&run), "done");
    let mut run = interpreter(4);
    let cut = vec![call(0, "code_interpreter", r#"{"code":"1"#), Event::Finish(Finish::Length)];
    assert_eq!(ask(&mut run, cut), ["Length"]);
    assert_eq!(code(&run), "done");
}
