//! Keys and tokens: make, list, revoke, exchange.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response};
use serde_json::json;

use super::{Asking, identify, nothing};
use crate::api::answer::check_json;
use crate::api::keys::{self as api, KeyRequest};
use crate::api::reports::parameter;
use crate::api::response::json_of;
use crate::error::{Error, Kind};
use crate::host::{Host, Swap, Versioned};
use crate::identity::key::{ApiKey, hash, is_id, mint};
use crate::identity::ring::{self, KeyRing, MAX_KEYS, StoredKey};
use crate::identity::token::{Claims, sign};
use crate::identity::{Identity, Tenant};
use crate::snapshot::Snapshot;

/// How often a write that lost a race is tried again.
const TRIES: usize = 5;

/// `POST /api/v1/auth/token`.
pub async fn token<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    asking: &Asking,
) -> Result<Response<Bytes>, Error> {
    if !asking.body.is_empty() {
        check_json(&asking.headers)?;
    }
    let auth = &snapshot.config().auth;
    let request = api::token(&asking.body, auth.token_seconds)?;
    let text = match &request.api_key {
        Some(text) => text.as_str(),
        None => identify::bearer(&asking.headers)?.ok_or_else(identify::missing)?,
    };
    let key = ApiKey::read(text).ok_or_else(|| {
        Error::new(Kind::Unauthorized, "a token is exchanged for an API key: they begin with `ock_`")
    })?;
    let identity = identify::of_key(host, snapshot, &key, asking.now).await?;
    let role = request.role.unwrap_or(identity.role);
    identify::require(&identity, role)?;
    let seconds = request.expires_in.unwrap_or(auth.token_seconds);
    let claims = Claims::new(auth, &identity, role, seconds, asking.now);
    let token = sign(snapshot.secret(), &claims)
        .ok_or_else(|| Error::new(Kind::Internal, "the token could not be signed"))?;
    let expires = asking.now.plus(Duration::from_secs(seconds));
    Ok(private(json_of(200, &api::granted(&token, seconds, role, expires))))
}

/// `GET /api/v1/keys`: those that were made; configured ones are in the configuration.
pub async fn list<H: Host>(host: &H, identity: &Identity, asking: &Asking) -> Result<Response<Bytes>, Error> {
    let tenant = tenant(identity, asking)?;
    let (ring, _) = load(host, &tenant).await?;
    let keys: Vec<_> = ring.keys.iter().map(|(id, key)| api::shown(&tenant, id, key)).collect();
    Ok(json_of(200, &json!({"keys": keys})))
}

/// `POST /api/v1/keys`.
pub async fn create<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    identity: &Identity,
    asking: &Asking,
) -> Result<Response<Bytes>, Error> {
    check_json(&asking.headers)?;
    let KeyRequest { id, name, role, expires_in, tenant } = api::key(&asking.body, identity)?;
    let config = snapshot.config();
    if config.tenant(&tenant).is_none() {
        let detail = "this tenant has no row in the configuration's [[tenants]]";
        return Err(Error::new(Kind::NotFound, detail).at("tenant"));
    }
    let (random, now) = (host.random(), asking.now);
    let id = id.unwrap_or_else(|| format!("{:016x}", host.random() as u64));
    if config.keys.iter().any(|row| row.tenant == tenant && row.id == id) {
        return Err(taken());
    }
    let text = mint(&tenant, &id, random);
    let key = StoredKey {
        hash: hash(snapshot.secret(), &text),
        role,
        name,
        created: now,
        expires: expires_in.map(|seconds| now.plus(Duration::from_secs(seconds))),
        revoked: None,
    };
    change(host, snapshot, &tenant, |ring| {
        // Those that open nothing any more make room.
        while ring.keys.len() >= MAX_KEYS {
            let spent = ring.keys.iter().find(|(_, key)| !key.is_live(now)).map(|(id, _)| id.clone());
            let Some(spent) = spent else {
                let detail = format!("a tenant may have {MAX_KEYS} keys: revoke one first");
                return Err(Error::new(Kind::Conflict, detail));
            };
            ring.keys.remove(&spent);
        }
        match ring.keys.entry(id.clone()) {
            std::collections::btree_map::Entry::Occupied(_) => Err(taken()),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(key.clone());
                Ok(())
            }
        }
    })
    .await?;
    let mut shown = api::shown(&tenant, &id, &key);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("key".to_owned(), json!(text));
    }
    Ok(private(json_of(201, &shown)))
}

/// What holds a credential is kept by no cache (RFC 6749, section 5.1).
fn private(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `DELETE /api/v1/keys/{key_id}`: it opens nothing any more, here at once and elsewhere within 30 s.
pub async fn revoke<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    identity: &Identity,
    asking: &Asking,
    id: &str,
) -> Result<Response<Bytes>, Error> {
    let tenant = tenant(identity, asking)?;
    let no_key =
        || Error::new(Kind::NotFound, "there is no key of this id that was made by POST /api/v1/keys");
    if !is_id(id) {
        return Err(no_key());
    }
    change(host, snapshot, &tenant, |ring| {
        let key = ring.keys.get_mut(id).ok_or_else(no_key)?;
        if key.role > identity.role {
            let detail = format!("a key of role {} cannot revoke one of role {}", identity.role, key.role);
            return Err(Error::new(Kind::Forbidden, detail));
        }
        key.revoked.get_or_insert(asking.now);
        Ok(())
    })
    .await?;
    Ok(nothing())
}

/// `?tenant=` of an operator, else the caller's own.
fn tenant(identity: &Identity, asking: &Asking) -> Result<Tenant, Error> {
    let Some(name) = parameter(asking.uri.query(), "tenant") else { return Ok(identity.tenant.clone()) };
    let tenant = Tenant::try_from(name.to_owned()).map_err(|why| Error::invalid(why).at("tenant"))?;
    api::may_manage(identity, &tenant)?;
    Ok(tenant)
}

async fn load<H: Host>(host: &H, tenant: &Tenant) -> Result<(KeyRing, u64), Error> {
    let Some(Versioned { version, value }) = host.read(&ring::record(tenant), host.now()).await? else {
        return Ok((KeyRing::default(), 0));
    };
    let ring = serde_json::from_slice(&value)
        .map_err(|_| Error::new(Kind::Internal, "the tenant's keys cannot be read"))?;
    Ok((ring, version))
}

/// Reads, changes and writes a tenant's keys, again where someone else was first.
async fn change<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    tenant: &Tenant,
    edit: impl Fn(&mut KeyRing) -> Result<(), Error>,
) -> Result<(), Error> {
    for _ in 0..TRIES {
        let (mut ring, version) = load(host, tenant).await?;
        edit(&mut ring)?;
        let value = Bytes::from(serde_json::to_vec(&ring).unwrap_or_default());
        let now = host.now();
        if let Swap::Done(_) = host.swap(&ring::record(tenant), version, value, None, now).await? {
            snapshot.remember(tenant, &Arc::new(ring), now);
            return Ok(());
        }
    }
    Err(Error::new(Kind::Unavailable, "the tenant's keys are changing too fast; try again"))
}

fn taken() -> Error {
    Error::new(Kind::Conflict, "this tenant has a key of this id already").at("id")
}
