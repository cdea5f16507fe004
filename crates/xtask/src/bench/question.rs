//! The one question that every contestant is asked, and its answer.

use serde_json::{Value, json};

/// A request body's length, in bytes.
pub const QUESTION_BYTES: usize = 1_024;
/// The model's name upstream.
pub const MODEL: &str = "m";

const ANSWER: [&str; 12] = [
    "A gateway stands between",
    " a caller and the models",
    " it may ask. It checks who",
    " is asking, picks a model,",
    " holds the price of the",
    " answer against a budget,",
    " passes the question on,",
    " hands the answer back",
    " as it comes,",
    " and writes down what",
    " the whole of it",
    " has cost.",
];

/// What is asked of an upstream; its name is also the first part of the path under which it answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An answer in one piece.
    Whole,
    /// A stream that is there at once: what passing it on costs.
    Streamed,
    /// A stream that comes bit by bit: when its first token is seen.
    Paced,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Whole, Self::Streamed, Self::Paced];

    /// In paths, models and the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Streamed => "streamed",
            Self::Paced => "paced",
        }
    }
}

/// A body of [`QUESTION_BYTES`], in OpenAI's dialect.
pub fn body(model: &str, kind: Kind) -> String {
    let mut question = json!({
        "model": model,
        "messages": [
            {"role": "system", "content": "You explain software to people who run it."},
            {"role": "user", "content": "What does a gateway do? "},
        ],
        "max_tokens": 256,
        "temperature": 0.2,
    });
    if kind != Kind::Whole {
        question["stream"] = json!(true);
        question["stream_options"] = json!({"include_usage": true});
    }
    let missing = QUESTION_BYTES.saturating_sub(question.to_string().len());
    let words: String = "one two three four five six seven ".chars().cycle().take(missing).collect();
    question["messages"][1]["content"] = json!(format!("What does a gateway do? {words}"));
    question.to_string()
}

/// The answer's text.
pub fn text() -> String {
    ANSWER.concat()
}

/// The first piece of a stream's text: whoever reads it has the first token.
pub fn first_token() -> &'static str {
    ANSWER[0]
}

/// The answer in one piece, about 700 bytes.
pub fn whole() -> String {
    json!({
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_764_000_000, "model": MODEL,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text(), "refusal": null},
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": usage(),
        "system_fingerprint": "fp_bench",
    })
    .to_string()
}

/// The answer as events: a role, the text's pieces, the reason, the usage, `[DONE]`.
pub fn events() -> Vec<String> {
    let choice = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
    let mut events =
        vec![event(choice(json!({"role": "assistant", "content": ""}), Value::Null), Value::Null)];
    events.extend(ANSWER.map(|piece| event(choice(json!({"content": piece}), Value::Null), Value::Null)));
    events.push(event(choice(json!({}), json!("stop")), Value::Null));
    events.push(event(json!([]), usage()));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// The text that a stream's events carry; `None` for one that does not end as it should.
pub fn text_of(stream: &str) -> Option<String> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut text = String::new();
    for event in data.map(str::trim) {
        if event == "[DONE]" {
            return Some(text);
        }
        let event: Value = serde_json::from_str(event).ok()?;
        text.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    None
}

fn event(choices: Value, usage: Value) -> String {
    let event = json!({
        "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_764_000_000, "model": MODEL,
        "choices": choices, "usage": usage,
    });
    format!("data: {event}\n\n")
}

fn usage() -> Value {
    json!({
        "prompt_tokens": 212, "completion_tokens": 48, "total_tokens": 260,
        "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_has_the_same_length() {
        for (model, kind) in [("m", Kind::Whole), ("a/longer-name", Kind::Streamed), ("x", Kind::Paced)] {
            assert_eq!(body(model, kind).len(), QUESTION_BYTES);
        }
    }

    #[test]
    fn a_stream_carries_the_answer_and_a_cut_one_does_not_count() {
        let stream = events().concat();
        assert_eq!(text_of(&stream), Some(text()));
        assert_eq!(text_of(stream.trim_end().trim_end_matches("[DONE]")), None);
    }
}
