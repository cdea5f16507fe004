//! Whether the platform runs, and whether it can answer.

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value, json};

use crate::api::response::json_of;
use crate::host::{Host, Key, StoreError};
use crate::identity::Tenant;
use crate::snapshot::Snapshot;
use crate::wire::json::object;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `GET /`.
pub fn root() -> Response<Bytes> {
    json_of(200, &json!({"message": "OpenCode Platform", "version": VERSION, "status": "running"}))
}

/// `GET /health`: this process answers.
pub fn health() -> Response<Bytes> {
    json_of(200, &json!({"status": "healthy", "engine": "initialized", "version": VERSION}))
}

/// `GET /api/status`.
pub fn status(snapshot: &Snapshot) -> Response<Bytes> {
    let ready = !snapshot.config().targets.is_empty();
    json_of(200, &json!({"api": "operational", "engine_ready": ready}))
}

/// `GET /health/ready`: 200 when every store, the queue and at least one target can be used, else 503, with a line
/// for each. The cache is not among them, since an answer never needs it; nor is a newer configuration that cannot be
/// used, since the one in force still serves, but it is reported.
pub async fn ready<H: Host>(host: &H, snapshot: &Snapshot) -> Response<Bytes> {
    let mut checks = stores(host, snapshot).await;
    checks.insert("targets".to_owned(), targets(host, snapshot));
    let ready = checks.values().all(|check| check.get("ok") == Some(&Value::Bool(true)));
    let status = if ready { "ready" } else { "not_ready" };
    let configuration = match snapshot.problem() {
        None => json!({"ok": true}),
        Some(problem) => json!({"ok": false, "detail": problem}),
    };
    let body = json!({"status": status, "checks": checks, "configuration": configuration});
    json_of(if ready { 200 } else { 503 }, &body)
}

/// What the stores and the queue say, asked at most once a second.
async fn stores<H: Host>(host: &H, snapshot: &Snapshot) -> Map<String, Value> {
    let (now, system) = (host.now(), Tenant::system());
    if let Some(Value::Object(said)) = snapshot.stores(now) {
        return said;
    }
    let key = Key::new(&system, "ready");
    let checks = [
        ("records", said(host.read(&key, now).await)),
        ("counters", said(host.overdue(&system, now, 1).await)),
        ("logs", said(host.scan(&key, "", 1).await)),
        ("blobs", said(host.get(&key, now).await)),
        ("queue", queue(host.waiting().await)),
    ];
    let checks = object(checks.into_iter().map(|(name, check)| (name.to_owned(), check)));
    snapshot.keep_stores(now, Value::Object(checks.clone()));
    checks
}

fn said<T>(result: Result<T, StoreError>) -> Value {
    match result {
        Ok(_) => json!({"ok": true}),
        Err(error) => json!({"ok": false, "detail": error.to_string()}),
    }
}

fn queue(result: Result<Option<u64>, StoreError>) -> Value {
    match result {
        Ok(waiting) => json!({"ok": true, "waiting": waiting}),
        Err(error) => json!({"ok": false, "detail": error.to_string()}),
    }
}

/// One target that has its secret and whose breaker, in this snapshot, is not open.
fn targets<H: Host>(host: &H, snapshot: &Snapshot) -> Value {
    let now = host.now();
    let breakers = snapshot.breakers();
    let rows = snapshot.config().targets.iter().map(|row| {
        let name = format!("{}/{}", row.name, row.model);
        let missing = row.secret.as_deref().filter(|secret| host.secret(secret).is_none());
        let state = match missing {
            Some(secret) => format!("its secret {secret} is not set"),
            None if breakers.is_open(&name, now) => "failing: tried last for now".to_owned(),
            None => "ready".to_owned(),
        };
        (name, state)
    });
    let rows: Vec<(String, String)> = rows.collect();
    let ok = rows.iter().any(|(_, state)| state == "ready");
    let states = object(rows.into_iter().map(|(name, state)| (name, Value::String(state))));
    json!({"ok": ok, "targets": states})
}
