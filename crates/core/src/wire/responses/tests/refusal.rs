use serde_json::json;

use crate::wire::refusal::{Class, Refusal};
use crate::wire::responses::refusal;

#[test]
fn refusals_are_classed() {
    let error = |code: &str| json!({"error": {"message": "no", "type": "t", "param": "input", "code": code}});
    for (status, body, class) in [
        (400, error("invalid_value"), Class::Request),
        (400, error("context_length_exceeded"), Class::Context),
        (400, error("content_filter"), Class::Filtered),
        (400, error("invalid_prompt"), Class::Filtered),
        (401, error("invalid_api_key"), Class::Credential),
        (403, error(""), Class::Credential),
        (404, error("model_not_found"), Class::Missing),
        (400, error("model_not_found"), Class::Missing),
        (408, error(""), Class::Failed),
        (422, error(""), Class::Request),
        (429, error("insufficient_quota"), Class::Limited),
        (500, error("server_error"), Class::Failed),
        (503, error(""), Class::Overloaded),
        (529, error(""), Class::Overloaded),
        (200, json!({"type": "error", "code": "rate_limit_exceeded", "message": "no"}), Class::Limited),
        (
            200,
            json!({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "no"}}}),
            Class::Failed,
        ),
        (400, json!({"code": "bad", "error": "no"}), Class::Request),
    ] {
        let refusal = refusal(status, body.to_string().as_bytes());
        assert_eq!((refusal.class, refusal.message.as_deref()), (class, Some("no")), "{status} {body}");
    }
    let long = json!({"error": {"message": "This model's maximum context length is 1 token"}});
    assert_eq!(refusal(400, long.to_string().as_bytes()).class, Class::Context);
    assert_eq!(refusal(400, error("x").to_string().as_bytes()).param.as_deref(), Some("input"));
    assert_eq!(refusal(502, b"<html>"), Refusal { class: Class::Failed, message: None, param: None });
}
