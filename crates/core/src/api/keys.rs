//! Requests for keys and tokens.

use serde::Deserialize;
use serde_json::{Value, json};

use super::platform::{bad, member, object};
use crate::error::{Error, Kind};
use crate::host::Time;
use crate::identity::key::is_id;
use crate::identity::ring::StoredKey;
use crate::identity::role::Role;
use crate::identity::{Identity, Tenant};

/// The longest name of a key, in bytes: a tenant's keys must fit into one record, however they are named.
const MAX_NAME: usize = 100;
/// The longest life of a key that expires, in seconds: ten years.
const MAX_LIFE: u64 = 10 * 365 * 86_400;

/// The body of `POST /api/v1/auth/token`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// The key, where it is not in the `Authorization` header.
    pub api_key: Option<String>,
    /// Seconds, 60 to the deployment's own `auth.token_seconds`.
    pub expires_in: Option<u64>,
    /// A role below the key's own.
    pub role: Option<Role>,
}

/// Reads the body; an empty one asks for nothing special. `most` is the longest life of a token.
pub fn token(body: &[u8], most: u64) -> Result<TokenRequest, Error> {
    if body.is_empty() {
        return Ok(TokenRequest::default());
    }
    let body = object(body)?;
    if body.get("username").is_some() || body.get("password").is_some() {
        let detail = "this deployment has no user store, so a username and password open nothing: send an API key as \
                      `Authorization: Bearer ock_…` or as `api_key`";
        return Err(Error::invalid(detail).at("username"));
    }
    let request = TokenRequest {
        api_key: member(&body, "api_key", "a string")?,
        expires_in: member(&body, "expires_in", "a whole number of seconds")?,
        role: role(&body)?,
    };
    if request.expires_in.is_some_and(|seconds| !(60..=most).contains(&seconds)) {
        return Err(bad("expires_in", &format!("must lie between 60 and {most}")));
    }
    Ok(request)
}

/// The body of `POST /api/v1/keys`.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// Made where left out.
    pub id: Option<String>,
    /// For people.
    pub name: String,
    /// `user` where left out.
    pub role: Role,
    /// Seconds until it opens nothing any more; never where left out.
    pub expires_in: Option<u64>,
    /// Whose; the caller's own where left out.
    pub tenant: Tenant,
}

/// Reads the body. Nobody gives more than they have.
pub fn key(body: &[u8], caller: &Identity) -> Result<KeyRequest, Error> {
    let body = object(body)?;
    let id: Option<String> = member(&body, "id", "a string")?;
    if id.as_deref().is_some_and(|id| !is_id(id)) {
        return Err(bad("id", "must be 1 to 32 letters and digits"));
    }
    let name: String = member(&body, "name", "a string")?.unwrap_or_default();
    if name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(bad("name", &format!("may have {MAX_NAME} bytes, and no control characters")));
    }
    let role = role(&body)?.unwrap_or_default();
    if role > caller.role {
        return Err(
            forbidden(&format!("a key of role {} cannot make one of role {role}", caller.role)).at("role")
        );
    }
    let expires_in = member(&body, "expires_in", "a whole number of seconds")?;
    if expires_in.is_some_and(|seconds: u64| !(60..=MAX_LIFE).contains(&seconds)) {
        return Err(bad("expires_in", &format!("must lie between 60 and {MAX_LIFE}")));
    }
    let tenant = member::<String>(&body, "tenant", "a string")?;
    let tenant = tenant.map_or(Ok(caller.tenant.clone()), |name| {
        Tenant::try_from(name).map_err(|why| bad("tenant", &why))
    })?;
    may_manage(caller, &tenant)?;
    Ok(KeyRequest { id, name, role, expires_in, tenant })
}

/// Whether a caller manages a tenant's keys: its own, or all as an operator.
pub fn may_manage(caller: &Identity, tenant: &Tenant) -> Result<(), Error> {
    if *tenant == caller.tenant || caller.role >= Role::Operator {
        return Ok(());
    }
    Err(forbidden("only an operator manages the keys of another tenant").at("tenant"))
}

/// A key as its tenant's admins see it.
pub fn shown(tenant: &Tenant, id: &str, key: &StoredKey) -> Value {
    json!({
        "id": id,
        "tenant": tenant,
        "name": key.name,
        "role": key.role,
        "created": key.created,
        "expires": key.expires,
        "revoked": key.revoked,
    })
}

/// A token, as OAuth 2 shows it (RFC 6749, section 5.1).
pub fn granted(token: &str, seconds: u64, role: Role, expires: Time) -> Value {
    json!({
        "access_token": token,
        "token_type": "bearer",
        "expires_in": seconds,
        "role": role,
        "expires": expires,
    })
}

fn role(body: &Value) -> Result<Option<Role>, Error> {
    match body.get("role") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => Role::deserialize(value)
            .map(Some)
            .map_err(|_| bad("role", "must be `readonly`, `user`, `admin` or `operator`")),
    }
}

fn forbidden(detail: &str) -> Error {
    Error::new(Kind::Forbidden, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gives_more_than_they_have() {
        let caller = |role| Identity {
            tenant: Tenant::try_from("acme".to_owned()).unwrap(),
            key: "k1".to_owned(),
            key_hash: String::new(),
            role,
        };
        let ask = |body: &str, role| key(body.as_bytes(), &caller(role)).map_err(|error| error.status());
        assert!(ask(r#"{"role":"admin"}"#, Role::Admin).is_ok());
        assert_eq!(ask(r#"{"role":"operator"}"#, Role::Admin), Err(403));
        assert_eq!(ask(r#"{"tenant":"globex"}"#, Role::Admin), Err(403));
        assert!(ask(r#"{"tenant":"globex"}"#, Role::Operator).is_ok());
        for body in [
            r#"{"tenant":"NO"}"#,
            r#"{"id":"a_b"}"#,
            r#"{"id":7}"#,
            r#"{"role":"king"}"#,
            r#"{"expires_in":1}"#,
            &format!(r#"{{"name":"{}"}}"#, "x".repeat(101)),
        ] {
            assert_eq!(ask(body, Role::Operator), Err(422), "{body}");
        }
        assert_eq!(ask("[]", Role::Operator), Err(400));
    }

    #[test]
    fn a_username_and_password_are_answered_plainly() {
        let error = token(br#"{"username":"a","password":"b"}"#, 3_600).unwrap_err();
        assert_eq!((error.status(), error.param.as_deref()), (400, Some("username")));
        assert!(error.detail.contains("API key"));
        assert_eq!(token(b"", 3_600), Ok(TokenRequest::default()));
        assert_eq!(token(br#"{"expires_in":3601}"#, 3_600).unwrap_err().status(), 422);
    }
}
