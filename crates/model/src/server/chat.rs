//! One chat completion, from its body to its answer.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use serde_json::json;

use super::Served;
use super::answer::{Body, Head, finish, usage};
use super::refusal::Refusal;
use super::request::Asked;
use crate::generate::{End, Piece, Refused};

/// Answers, or says what is wrong with the request. Dropping the future ends the computation.
pub(super) async fn complete(served: &Served, body: &[u8]) -> Result<Response<Body>, Refusal> {
    let asked = Asked::read(body, &served.defaults)?;
    if asked.model != served.name {
        return Err(Refusal::no_such_model(&asked.model, &served.name));
    }
    let mut pieces = served.engine.ask(asked.ask).ok_or_else(Refusal::busy)?;
    match pieces.recv().await {
        Some(Piece::Begun) => {}
        Some(Piece::Refused(Refused::TooLong { prompt, context })) => {
            return Err(Refusal::too_long(prompt, context));
        }
        Some(Piece::Refused(Refused::Template(why))) => {
            return Err(Refusal::invalid(Some("messages"), format!("the model's chat template: {why}")));
        }
        Some(Piece::Text(_) | Piece::End(_)) | None => return Err(Refusal::ended()),
    }
    let head = Head::new(served.name.clone());
    if let Some(include_usage) = asked.stream {
        let mut response = Response::new(Body::events(head, pieces, include_usage));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        return Ok(response);
    }

    let mut content = String::new();
    let end = loop {
        match pieces.recv().await {
            Some(Piece::Text(text)) => content.push_str(&text),
            Some(Piece::End(end)) => break end,
            Some(Piece::Begun | Piece::Refused(_)) | None => return Err(Refusal::ended()),
        }
    };
    Ok(super::whole(&completion(&head, &content, end)))
}

/// OpenAI's `CreateChatCompletionResponse`.
fn completion(head: &Head, content: &str, end: End) -> serde_json::Value {
    json!({
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": content, "refusal": null, "annotations": [] },
            "logprobs": null,
            "finish_reason": finish(end.finish),
        }],
        "usage": usage(end),
    })
}
