//! Keys that are made while the platform runs, tokens, and roles.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::{Case, case};
use crate::hosts::ctx::{Ctx, check, same};

pub(super) const CASES: &[Case] = &[
    case!(a_key_is_made_used_and_revoked),
    case!(nobody_does_more_than_its_role),
    case!(a_key_is_exchanged_for_a_token),
    case!(forged_tokens_open_nothing),
    case!(a_username_and_password_open_nothing),
];

/// How long a revoked key may still be believed.
const BELIEVED: Duration = Duration::from_secs(31);

/// Makes a key of `acme` in a role; gives its id and text.
async fn made(ctx: &Ctx, role: &str) -> Result<(String, String), String> {
    let body = json!({"tenant": "acme", "role": role, "name": ctx.tag});
    let mut response = ctx.post("/api/v1/keys", &body).key(&ctx.keys.operator).send().await?;
    let json = response.json().await?;
    check(response.status == 201, || format!("{} {json}", response.status))?;
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    check(text("key").starts_with(&format!("ock_acme_{}_", text("id"))), || json.to_string())?;
    Ok((text("id"), text("key")))
}

async fn status(ctx: &Ctx, key: &str) -> Result<u16, String> {
    Ok(ctx.get("/v1/models").key(key).send().await?.status)
}

/// Waits until a credential that was cached a moment ago opens (200) or does not open (401) anything.
async fn becomes(ctx: &Ctx, key: &str, expected: u16) -> Result<(), String> {
    let start = Instant::now();
    loop {
        let found = status(ctx, key).await?;
        if found == expected || start.elapsed() > BELIEVED {
            return same("status", found, expected);
        }
        sleep(Duration::from_millis(300)).await;
    }
}

async fn a_key_is_made_used_and_revoked(ctx: &Ctx) -> Result<(), String> {
    let (id, key) = made(ctx, "user").await?;
    becomes(ctx, &key, 200).await?;
    let mut asked = ctx.post("/v1/chat/completions", &ctx.body("ok", false)).key(&key).send().await?;
    same("asked", asked.status, 200)?;
    asked.text().await?;
    same("receipt", ctx.receipt().await?["key"].as_str(), Some(id.as_str()))?;

    let list = "/api/v1/keys?tenant=acme";
    let json = ctx.get(list).key(&ctx.keys.operator).send().await?.json().await?;
    let of = |it: &&Value| it["id"] == json!(id);
    let mine = json["keys"].as_array().into_iter().flatten().find(of).ok_or("the key is not listed")?;
    same("name", mine["name"].as_str(), Some(ctx.tag.as_str()))?;
    let secret = key.rsplit('_').next().unwrap_or_default();
    check(!json.to_string().contains(secret) && mine.get("hash").is_none(), || mine.to_string())?;

    let token = exchanged(ctx, &key, &json!({})).await?;
    let path = format!("/api/v1/keys/{id}?tenant=acme");
    same("revoked", ctx.delete(&path).key(&ctx.keys.operator).send().await?.status, 204)?;
    becomes(ctx, &key, 401).await?;
    becomes(ctx, &token, 401).await?;
    same("again", ctx.delete(&path).key(&ctx.keys.operator).send().await?.status, 204)?;
    let none = ctx.delete("/api/v1/keys/nothing?tenant=acme").key(&ctx.keys.operator).send().await?;
    same("none", none.status, 404)
}

async fn nobody_does_more_than_its_role(ctx: &Ctx) -> Result<(), String> {
    let (_, readonly) = made(ctx, "readonly").await?;
    let (_, admin) = made(ctx, "admin").await?;
    becomes(ctx, &readonly, 200).await?;
    becomes(ctx, &admin, 200).await?;
    let body = ctx.body("ok", false);
    let asks = ctx.post("/v1/chat/completions", &body).key(&readonly);
    // Other processes of the host see a new key a moment later.
    sleep(Duration::from_millis(150)).await;
    let role = |role: &str| json!({"role": role});
    let cases = [
        ("a reader asks", asks, 403),
        ("a reader begins a task", ctx.post("/api/v1/tasks", &json!({"query": "a"})).key(&readonly), 403),
        ("a user lists keys", ctx.get("/api/v1/keys").key(&ctx.keys.acme), 403),
        ("an admin lists keys", ctx.get("/api/v1/keys").key(&admin), 200),
        ("an admin makes an operator", ctx.post("/api/v1/keys", &role("operator")).key(&admin), 403),
        ("an admin looks at others' keys", ctx.get("/api/v1/keys?tenant=globex").key(&admin), 403),
        ("an admin writes the configuration", ctx.put("/api/v1/config", "debug = true").key(&admin), 403),
        ("an admin reads the configuration", ctx.get("/api/v1/config").key(&admin), 403),
    ];
    for (what, request, expected) in cases {
        let mut response = request.send().await?;
        same(what, response.status, expected)?;
        if expected == 403 {
            let text = response.text().await?;
            check(text.contains("role") || text.contains("operator"), || format!("{what}: {text}"))?;
        }
    }
    same("calls", ctx.stats().calls(), 0)
}

async fn exchanged(ctx: &Ctx, key: &str, body: &Value) -> Result<String, String> {
    let mut response = ctx.post("/api/v1/auth/token", body).key(key).send().await?;
    let json = response.json().await?;
    check(response.status == 200, || format!("{} {json}", response.status))?;
    same("type", json["token_type"].as_str(), Some("bearer"))?;
    Ok(json["access_token"].as_str().ok_or("no token")?.to_owned())
}

fn claims(token: &str) -> Result<Value, String> {
    let part = token.split('.').nth(1).ok_or("no claims")?;
    let bytes = BASE64.decode(part).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

async fn a_key_is_exchanged_for_a_token(ctx: &Ctx) -> Result<(), String> {
    let token = exchanged(ctx, &ctx.keys.acme, &json!({"expires_in": 120})).await?;
    let said = claims(&token)?;
    for (name, value) in [
        ("iss", json!("opencode")),
        ("aud", json!("opencode")),
        ("sub", json!("acme/k1")),
        ("tenant", json!("acme")),
        ("roles", json!(["user"])),
        ("key", json!("k1")),
    ] {
        same(name, &said[name], &value)?;
    }
    same("life", said["exp"].as_u64(), said["iat"].as_u64().map(|iat| iat + 120))?;
    let mut asked = ctx.post("/v1/chat/completions", &ctx.body("ok", false)).key(&token).send().await?;
    same("asked", asked.status, 200)?;
    asked.text().await?;
    same("receipt", ctx.receipt().await?["key"].as_str(), Some("k1"))?;

    let reads = exchanged(ctx, &ctx.keys.acme, &json!({"role": "readonly"})).await?;
    let asks = ctx.post("/v1/chat/completions", &ctx.body("ok", false)).key(&reads).send().await?;
    same("a reader asks", asks.status, 403)?;
    let cases = [
        (json!({"role": "admin"}), ctx.keys.acme.clone(), 403),
        (json!({"expires_in": 5}), ctx.keys.acme.clone(), 422),
        (json!({}), token, 401),
        (json!({}), "ock_acme_k1_0".to_owned(), 401),
    ];
    for (body, key, expected) in cases {
        let response = ctx.post("/api/v1/auth/token", &body).key(&key).send().await?;
        same(&body.to_string(), response.status, expected)?;
    }
    let inside = json!({"api_key": ctx.keys.acme});
    same("in the body", ctx.post("/api/v1/auth/token", &inside).send().await?.status, 200)?;
    same("without any", ctx.post("/api/v1/auth/token", &json!({})).send().await?.status, 401)
}

async fn forged_tokens_open_nothing(ctx: &Ctx) -> Result<(), String> {
    let token = exchanged(ctx, &ctx.keys.acme, &json!({})).await?;
    same("the real one", status(ctx, &token).await?, 200)?;
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { return Err("not a token".to_owned()) };
    let none = BASE64.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let rs256 = BASE64.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let globex = BASE64.encode(self::claims(&token)?.to_string().replace("acme", "globex"));
    for forged in [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{rs256}.{claims}.{signature}"),
        format!("{header}.{globex}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{}", signature.chars().rev().collect::<String>()),
        format!("{header}.{claims}"),
    ] {
        let response = ctx.get("/v1/models").key(&forged).send().await?;
        same(&forged, response.status, 401)?;
        check(response.header("www-authenticate").is_some(), || "no WWW-Authenticate".to_owned())?;
    }
    Ok(())
}

async fn a_username_and_password_open_nothing(ctx: &Ctx) -> Result<(), String> {
    let body = json!({"username": "someone", "password": "anything"});
    let mut response = ctx.post("/api/v1/auth/token", &body).send().await?;
    same("status", response.status, 400)?;
    let json = response.json().await?;
    check(json["detail"].as_str().is_some_and(|text| text.contains("API key")), || json.to_string())
}
