//! The wall does what its models say.

mod contents;
mod faults;
mod reader;

use serde_json::json;

use super::{KEY, ODD, Wall};
use crate::client::{Request, Response};

fn ask(wall: &Wall, model: &str, stream: bool) -> Request {
    let body = json!({
        "model": model, "stream": stream, "messages": [{ "role": "user", "content": "hi" }],
        "stream_options": { "include_usage": true },
    });
    Request::post(format!("{}/chat/completions", wall.url), &body).key(KEY)
}

async fn stream(wall: &Wall, model: &str) -> Response {
    ask(wall, model, true).send().await.unwrap()
}

#[tokio::test]
async fn good_answers_are_complete() {
    let wall = Wall::start().await.unwrap();
    for model in ["ok~a", "slow-first:20~a", "stage~a", "ok-slow:1:3~a"] {
        let chat = stream(&wall, model).await.chat().await.unwrap();
        assert!(chat.complete() && chat.usage.is_some(), "{model}: {chat:?}");
        let whole = ask(&wall, model, false).send().await.unwrap().json().await.unwrap();
        assert_eq!(whole["choices"][0]["message"]["content"], chat.text, "{model}");
    }
    assert_eq!(wall.stats("a").completed(), 8);
    let echo = stream(&wall, "echo~b").await.chat().await.unwrap();
    assert!(echo.complete() && echo.text.contains(r#""user":"hi""#) && echo.text.contains("include_usage"));
    assert_eq!(stream(&wall, "odd~b").await.text().await.unwrap(), ODD);
    assert_eq!(wall.stats("").waiting, 0);
}

#[tokio::test]
async fn faults_come_after_their_tokens() {
    let wall = Wall::start().await.unwrap();
    for model in ["cut:5~a", "eof:5~a", "error:5~a"] {
        let mut response = stream(&wall, model).await;
        response.tokens(5).await.unwrap();
        let rest = response.chat().await;
        let complete = rest.is_ok_and(|chat| chat.done || chat.finish.is_some());
        assert!(!complete, "{model}");
    }
    let text = stream(&wall, "malformed:3~a").await.text().await.unwrap();
    assert!(text.contains("\"delta\":\n\n") && text.ends_with("[DONE]\n\n"));
    assert!(!stream(&wall, "no-done~a").await.chat().await.unwrap().done);
    assert!(ask(&wall, "rst~a", true).send().await.is_err());
    assert_eq!(stream(&wall, "s401~a").await.status, 401);
    assert_eq!(stream(&wall, "s429:2~a").await.header("retry-after"), Some("2"));
    assert_eq!(stream(&wall, "s999~a").await.status, 404);
    for status in [500, 500, 200] {
        assert_eq!(stream(&wall, "flaky:2~b").await.status, status);
    }
}

#[tokio::test]
async fn leaving_is_seen() {
    let wall = Wall::start().await.unwrap();
    let mut response = stream(&wall, "ok-slow:20:100~fin").await;
    response.tokens(2).await.unwrap();
    response.fin().await;
    let mut response = stream(&wall, "stall:2~rst").await;
    response.tokens(2).await.unwrap();
    response.reset();
    let conn = ask(&wall, "hang~hang", true).start().await.unwrap();
    wall.until("hang", |stats| stats.waiting == 1).await.unwrap();
    conn.fin().await;
    for tag in ["fin", "rst", "hang"] {
        let stats = wall.until(tag, |stats| stats.cancelled() == 1).await.unwrap();
        assert_eq!((stats.calls(), stats.waiting), (1, 0), "{tag}");
    }
}

#[tokio::test]
async fn a_held_call_waits_for_its_release() {
    let wall = Wall::start().await.unwrap();
    let free = stream(&wall, "hold:2~a").await.chat().await.unwrap();
    let held = ask(&wall, "hold:2~a", true);
    let held = tokio::spawn(async move { held.send().await?.chat().await });
    wall.until("a", |stats| stats.waiting == 1).await.unwrap();
    wall.release("a");
    assert_eq!(held.await.unwrap().unwrap(), free);
}

#[tokio::test]
async fn tools_are_called_until_their_results_are_there() {
    let wall = Wall::start().await.unwrap();
    let whole = ask(&wall, "tools:2~a", false).send().await.unwrap().json().await.unwrap();
    let choice = &whole["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["tool_calls"].as_array().map(Vec::len), Some(2));
    let chat = stream(&wall, "tools:2~a").await.chat().await.unwrap();
    assert!(
        chat.complete() && chat.text.is_empty() && chat.finish.as_deref() == Some("tool_calls"),
        "{chat:?}"
    );
    let messages = json!([{ "role": "tool", "tool_call_id": "call_wall_0", "content": "sun" }]);
    let body = json!({ "model": "tools~a", "stream": true, "messages": messages });
    let request = Request::post(format!("{}/chat/completions", wall.url), &body).key(KEY);
    let chat = request.send().await.unwrap().chat().await.unwrap();
    assert_eq!((chat.text.as_str(), chat.finish.as_deref()), ("The tool said: sun", Some("stop")));
}

#[tokio::test]
async fn as_many_answers_come_as_are_wanted() {
    let wall = Wall::start().await.unwrap();
    for stream in [false, true] {
        let messages = json!([{ "role": "user", "content": "hi" }]);
        let body = json!({ "model": "ok:1~a", "stream": stream, "messages": messages, "n": 3 });
        let request = Request::post(format!("{}/chat/completions", wall.url), &body).key(KEY);
        let text = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(text.matches("\"finish_reason\":\"stop\"").count(), 3, "{text}");
    }
}

#[tokio::test]
async fn embeddings_follow_the_text() {
    let wall = Wall::start().await.unwrap();
    let embed = |model: &str| {
        let body = json!({ "model": model, "input": ["a", "b"] });
        Request::post(format!("{}/embeddings", wall.url), &body)
    };
    let answer = embed("embed~a").send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"][1]["embedding"], json!(super::embed::vector("b")));
    assert_eq!(embed("s429~a").send().await.unwrap().status, 429);
    assert_eq!(wall.stats("a").completed(), 2);
}
