//! A provider's refusal, classed.

use serde_json::Value;

use crate::wire::refusal::{Class, Refusal};

/// Classes a refusal by its code where the code says enough, else by its status. `status` is 200 for an error inside a
/// stream. Bodies: `{"error":{message,type,param,code}}`, the members of `error` alone, `response.failed`, and
/// `{"code","error":"text"}` (xAI).
pub fn refusal(status: u16, body: &[u8]) -> Refusal {
    let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let inner = [body.pointer("/response/error"), body.get("error"), Some(&body)];
    let error = inner.into_iter().flatten().find(|error| error.is_object()).unwrap_or(&Value::Null);
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let message = text("message").or(body.get("error").and_then(Value::as_str)).or(text("detail"));
    let class = class(status, error, message.unwrap_or_default());
    Refusal { class, message: message.map(str::to_owned), param: text("param").map(str::to_owned) }
}

/// Of an error's members; its type counts where it has no code.
pub(super) fn class(status: u16, error: &Value, message: &str) -> Class {
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let kind = text("type").filter(|kind| !matches!(*kind, "error" | "response.failed"));
    by_code(text("code").or(kind).unwrap_or_default())
        .or_else(|| by_message(message))
        .unwrap_or_else(|| by_status(status))
}

/// Codes of OpenAI's error guide, of `ResponseErrorCode` and of Azure.
fn by_code(code: &str) -> Option<Class> {
    let class = match code {
        "context_length_exceeded" | "string_above_max_length" => Class::Context,
        "content_filter"
        | "content_policy_violation"
        | "invalid_prompt"
        | "bio_policy"
        | "cyber_policy"
        | "image_content_policy_violation"
        | "ResponsibleAIPolicyViolation" => Class::Filtered,
        "invalid_api_key" | "authentication_error" | "permission_error" | "data_residency_mismatch" => {
            Class::Credential
        }
        "model_not_found" | "DeploymentNotFound" => Class::Missing,
        "rate_limit_exceeded" | "rate_limit_error" | "insufficient_quota" | "billing_hard_limit_reached" => {
            Class::Limited
        }
        "server_is_overloaded" | "slow_down" | "overloaded_error" => Class::Overloaded,
        "server_error" | "internal_error" | "vector_store_timeout" => Class::Failed,
        _ => return None,
    };
    Some(class)
}

/// Servers that give no code say it in words.
fn by_message(message: &str) -> Option<Class> {
    let message = message.to_ascii_lowercase();
    let long = ["context window", "maximum context length", "maximum prompt length"];
    long.iter().any(|words| message.contains(words)).then_some(Class::Context)
}

fn by_status(status: u16) -> Class {
    match status {
        401 | 403 => Class::Credential,
        404 => Class::Missing,
        402 | 429 => Class::Limited,
        // Tried in vain, or in the way of another request: not the caller's mistake.
        408 | 409 => Class::Failed,
        400..=499 => Class::Request,
        503 | 529 => Class::Overloaded,
        _ => Class::Failed,
    }
}
