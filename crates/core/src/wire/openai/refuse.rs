//! What a provider's refusal means.
//!
//! Bodies that were looked at: OpenAI, "Error codes"; Azure OpenAI, "Content filtering"; OpenRouter, "Errors"; DeepSeek,
//! "Error codes"; Google's interface for this dialect (a list with one envelope); vLLM (`ErrorResponse`, its members at
//! the top in older releases); llama.cpp's server (`exceed_context_size_error`, `unavailable_error`); Ollama
//! (`{"error":"…"}` and `not_found_error`); xAI (`{"code":…,"error":"…"}`); Mistral and FastAPI (`{"detail":…}`).

use serde_json::Value;

use crate::wire::refusal::{Class, Refusal};

/// Codes and types, whatever the status.
const WORDS: [(&str, Class); 27] = [
    ("context_length_exceeded", Class::Context),
    ("exceed_context_size_error", Class::Context),
    ("string_above_max_length", Class::Context),
    ("content_filter", Class::Filtered),
    ("content_policy_violation", Class::Filtered),
    ("responsibleaipolicyviolation", Class::Filtered),
    ("moderation_blocked", Class::Filtered),
    ("data_inspection_failed", Class::Filtered),
    ("invalid_api_key", Class::Credential),
    ("invalid_authentication", Class::Credential),
    ("authentication_error", Class::Credential),
    ("permission_error", Class::Credential),
    ("unsupported_country_region_territory", Class::Credential),
    ("model_not_found", Class::Missing),
    ("deploymentnotfound", Class::Missing),
    ("model_decommissioned", Class::Missing),
    ("invalid_model", Class::Missing),
    ("not_found_error", Class::Missing),
    ("notfounderror", Class::Missing),
    ("insufficient_quota", Class::Limited),
    ("billing_hard_limit_reached", Class::Limited),
    ("rate_limit_exceeded", Class::Limited),
    ("rate_limit_error", Class::Limited),
    ("tokens_limit_reached", Class::Context),
    ("overloaded_error", Class::Overloaded),
    ("unavailable_error", Class::Overloaded),
    ("server_overloaded", Class::Overloaded),
];

/// What servers that give no code of their own say, in small letters.
const PHRASES: [(&str, Class); 17] = [
    ("maximum context length", Class::Context),
    ("model's context length", Class::Context),
    ("available context size", Class::Context),
    ("context size has been exceeded", Class::Context),
    ("exceed context window", Class::Context),
    ("exceeds the context window", Class::Context),
    ("context window of this model", Class::Context),
    ("maximum prompt length", Class::Context),
    ("reduce the length of the messages", Class::Context),
    ("content management policy", Class::Filtered),
    ("violating our usage policy", Class::Filtered),
    ("requires moderation", Class::Filtered),
    ("api key not valid", Class::Credential),
    ("incorrect api key", Class::Credential),
    ("insufficient balance", Class::Limited),
    ("exceeded your current quota", Class::Limited),
    ("loading model", Class::Overloaded),
];

/// Reads a body that came with a status other than 2xx, or an error inside a stream (any status: then its own code
/// decides, and without one it is [`Class::Failed`]).
pub fn refusal(status: u16, body: &[u8]) -> Refusal {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    // Google's interface answers with a list of one.
    let said = said.get(0).unwrap_or(&said);
    let error = said.get("error").filter(|error| !error.is_null()).unwrap_or(said);
    let message = message(said, error);
    let class = class(status, said, error, message.as_deref().unwrap_or_default());
    let param = error.get("param").and_then(Value::as_str).filter(|param| !param.is_empty());
    Refusal { class, message, param: param.map(str::to_owned) }
}

fn message(said: &Value, error: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let found = text(error).or_else(|| error.get("message").and_then(text));
    let found = found.or_else(|| said.get("message").and_then(text));
    let found = found.or_else(|| match said.get("detail")? {
        Value::String(text) => Some(text.clone()),
        detail => Some(detail.to_string()),
    });
    found.filter(|message| !message.is_empty())
}

pub fn class(status: u16, said: &Value, error: &Value, message: &str) -> Class {
    let words = [error.get("code"), error.pointer("/innererror/code"), error.get("type"), said.get("code")];
    let words = words.into_iter().flatten().filter_map(Value::as_str).map(str::to_ascii_lowercase);
    let word = words.into_iter().find_map(|word| WORDS.iter().find(|(known, _)| *known == word));
    let said_so = word.map(|(_, class)| *class);
    let number = [error.get("code"), error.get("status")].into_iter().flatten().find_map(Value::as_u64);
    let number = number.and_then(|number| u16::try_from(number).ok()).filter(|number| *number >= 400);
    let status = if status >= 400 { status } else { number.unwrap_or(500) };
    // Only where the status leaves it open: a limit of tokens a minute is not the window.
    let open = matches!(status, 400 | 403 | 413 | 422 | 500 | 503);
    said_so.or_else(|| if open { phrase(message) } else { None }).unwrap_or_else(|| by_status(status))
}

fn phrase(message: &str) -> Option<Class> {
    let message = message.to_ascii_lowercase();
    PHRASES.iter().find(|(known, _)| message.contains(known)).map(|(_, class)| *class)
}

fn by_status(status: u16) -> Class {
    match status {
        401 | 403 => Class::Credential,
        404 => Class::Missing,
        402 | 429 => Class::Limited,
        503 | 529 => Class::Overloaded,
        // A route or a time that is not the caller's to choose.
        405 | 408 | 409 | 425 => Class::Failed,
        400..=499 => Class::Request,
        _ => Class::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classed(status: u16, body: &str) -> Class {
        refusal(status, body.as_bytes()).class
    }

    #[test]
    fn refusals_are_classed() {
        use Class::{Context, Credential, Failed, Filtered, Limited, Missing, Overloaded, Request};
        for (status, body, class) in [
            // OpenAI
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 128000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
                Context,
            ),
            (
                400,
                r#"{"error":{"message":"Unsupported parameter","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
                Request,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","type":"invalid_request_error","param":null,"code":"invalid_prompt"}}"#,
                Filtered,
            ),
            (
                401,
                r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
                Credential,
            ),
            (
                403,
                r#"{"error":{"message":"Project does not have access to model","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
                Missing,
            ),
            (
                404,
                r#"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
                Missing,
            ),
            (
                429,
                r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
                Limited,
            ),
            (
                429,
                r#"{"error":{"message":"Request too large: reduce the length of the messages","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
                Limited,
            ),
            (
                503,
                r#"{"error":{"message":"The engine is currently overloaded","type":"server_error","param":null,"code":null}}"#,
                Overloaded,
            ),
            (
                500,
                r#"{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}"#,
                Failed,
            ),
            // Azure
            (
                400,
                r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
                Filtered,
            ),
            (
                404,
                r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
                Missing,
            ),
            (401, r#"{"statusCode":401,"message":"Unauthorized. Access token is missing."}"#, Credential),
            // Google's interface
            (
                400,
                r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
                Credential,
            ),
            (
                429,
                r#"[{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}]"#,
                Limited,
            ),
            // Groq
            (
                413,
                r#"{"error":{"message":"Request too large for model on tokens per minute (TPM)","type":"tokens","code":"rate_limit_exceeded"}}"#,
                Limited,
            ),
            (
                400,
                r#"{"error":{"message":"'messages.1' : for 'role:assistant' the following must be satisfied","type":"invalid_request_error"}}"#,
                Request,
            ),
            // vLLM
            (
                400,
                r#"{"error":{"message":"You passed 1015 input tokens and requested 10 output tokens. However, the model's context length is only 1024 tokens.","type":"BadRequestError","param":"input_tokens","code":400}}"#,
                Context,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000.","type":"BadRequestError","param":null,"code":400}"#,
                Context,
            ),
            (
                404,
                r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}"#,
                Missing,
            ),
            // llama.cpp
            (
                400,
                r#"{"error":{"code":400,"message":"request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":4390,"n_ctx":4096}}"#,
                Context,
            ),
            (
                500,
                r#"{"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}"#,
                Context,
            ),
            (
                503,
                r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
                Overloaded,
            ),
            // Ollama
            (
                404,
                r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error","param":null,"code":null}}"#,
                Missing,
            ),
            (400, r#"{"error":"invalid request"}"#, Request),
            // OpenRouter, DeepSeek, xAI, Mistral
            (
                403,
                r#"{"error":{"code":403,"message":"Your chosen model requires moderation and your input was flagged","metadata":{"reasons":["x"]}}}"#,
                Filtered,
            ),
            (
                402,
                r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
                Limited,
            ),
            (
                400,
                r#"{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 140000 tokens."}"#,
                Context,
            ),
            (422, r#"{"detail":[{"loc":["body","messages"],"msg":"Field required"}]}"#, Request),
            (
                400,
                r#"{"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500"}"#,
                Missing,
            ),
            // Inside a stream
            (200, r#"{"error":{"message":"slow down","type":"x","param":null,"code":429}}"#, Limited),
            (
                200,
                r#"{"error":{"message":"overloaded","type":"overloaded_error","param":null,"code":null}}"#,
                Overloaded,
            ),
            (200, r#"{"error":{"message":"no","type":"x","param":null,"code":null}}"#, Failed),
            // No body of theirs
            (502, "<html>bad gateway</html>", Failed),
            (408, "", Failed),
            (409, "{}", Failed),
            (529, "", Overloaded),
            (400, "null", Request),
        ] {
            assert_eq!(classed(status, body), class, "{status} {body}");
        }
    }

    #[test]
    fn their_words_are_kept() {
        let said = |body: &str| {
            let Refusal { message, param, .. } = refusal(400, body.as_bytes());
            (message, param)
        };
        let words = |message: &str, param: Option<&str>| (Some(message.to_owned()), param.map(str::to_owned));
        assert_eq!(said(r#"{"error":{"message":"no","param":"n"}}"#), words("no", Some("n")));
        assert_eq!(said(r#"{"error":"no"}"#), words("no", None));
        assert_eq!(said(r#"{"object":"error","message":"no","param":"n"}"#), words("no", Some("n")));
        assert_eq!(said(r#"{"code":"c","error":"no"}"#), words("no", None));
        assert_eq!(said(r#"{"detail":["x"]}"#), words("[\"x\"]", None));
        assert_eq!(said("no"), (None, None));
    }
}
