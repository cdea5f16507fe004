//! A signed Invoke of the local sandbox.

use std::time::{SystemTime, UNIX_EPOCH};

use opencode_core::host::Time;
use opencode_core::wire::aws::sigv4::{Credentials, Request, Scope, sign};
use serde_json::Value;

use crate::client;

/// What came of it: the answer's body, or in the error what the service says.
pub async fn invoke(ready: &Value, tenant: &str, event: &str) -> Result<String, String> {
    let text = |name: &str| ready[name].as_str().unwrap_or_default();
    let endpoint = text("endpoint");
    let host = endpoint.strip_prefix("http://").unwrap_or_default();
    let path = format!("/2015-03-31/functions/{}/invocations", text("function"));
    let headers = [("host", host), ("x-amz-tenant-id", tenant)];
    let request =
        Request { method: "POST", path: &path, query: "", headers: &headers, body: event.as_bytes() };
    let credentials =
        Credentials { id: text("access_key_id"), secret: text("secret_access_key"), token: None };
    let scope = Scope { region: text("region"), service: "lambda" };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = Time(u64::try_from(now).unwrap_or_default());
    let mut sent = client::Request::new("POST", format!("{endpoint}{path}"))
        .header("x-amz-tenant-id", tenant)
        .header("connection", "close")
        .body(event);
    for (name, value) in sign(&request, &credentials, scope, now) {
        sent = sent.header(name, &value);
    }
    let mut response = sent.send().await?;
    let (status, failed) = (response.status, response.header("x-amz-function-error").is_some());
    let mut body = Vec::new();
    while let Some(piece) = response.piece().await? {
        body.extend_from_slice(&piece);
    }
    let body = String::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())?;
    if status == 200 && !failed { Ok(body) } else { Err(format!("refused: {status} {body}")) }
}
