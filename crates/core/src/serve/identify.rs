//! Who asks: a key or a token, and a key that is still good.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::error::{Error, Kind};
use crate::host::{Host, Time};
use crate::identity::key::ApiKey;
use crate::identity::ring::{self, KeyRing};
use crate::identity::role::Role;
use crate::identity::token::{self, Claims};
use crate::identity::{Identity, Tenant};
use crate::snapshot::Snapshot;

/// The caller that the `Authorization` header names.
pub async fn caller<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    headers: &HeaderMap,
    now: Time,
) -> Result<Identity, Error> {
    let text = bearer(headers)?.ok_or_else(missing)?;
    match ApiKey::read(text) {
        Some(key) => of_key(host, snapshot, &key, now).await,
        None if text.split('.').count() == 3 => of_token(host, snapshot, text, now).await,
        None => Err(unknown("this is no API key of this platform (they begin with `ock_`) and no token")),
    }
}

/// Where the SDKs of Anthropic and Google put a key.
const OTHERS: [&str; 2] = ["x-api-key", "x-goog-api-key"];

/// The text after `Bearer`, or of a header that another provider's SDK uses.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        let other = OTHERS.iter().find_map(|name| headers.get(*name));
        return Ok(other
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
            .filter(|text| !text.is_empty()));
    };
    let text = value.to_str().unwrap_or_default();
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("bearer") && !rest.trim().is_empty() {
        return Ok(Some(rest.trim()));
    }
    Err(unknown("the Authorization header must be `Bearer ock_…`"))
}

/// No credential at all.
pub fn missing() -> Error {
    unknown("send your API key as `Authorization: Bearer ock_…`")
}

/// Whether a caller may do what takes this role.
pub fn require(identity: &Identity, role: Role) -> Result<(), Error> {
    if identity.role >= role {
        return Ok(());
    }
    let detail = format!("this takes the role {role}, and this key's role is {}", identity.role);
    Err(Error::new(Kind::Forbidden, detail))
}

/// The caller of a key.
pub async fn of_key<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    key: &ApiKey<'_>,
    now: Time,
) -> Result<Identity, Error> {
    let live = live(host, snapshot, key.tenant, key.id, now).await?;
    let equal = key.is(live.as_ref().map(|live| live.hash.as_str()), snapshot.secret());
    match live {
        Some(live) if equal => {
            let key_hash = live.short_hash();
            Ok(Identity { tenant: live.tenant, key: key.id.to_owned(), key_hash, role: live.role })
        }
        _ => Err(unknown("this API key is not known here")),
    }
}

/// The caller of a token: its key must still be good, and what the token may do is no more than its key may.
async fn of_token<H: Host>(host: &H, snapshot: &Snapshot, text: &str, now: Time) -> Result<Identity, Error> {
    let claims = token::verify(snapshot.secret(), &snapshot.config().auth, text, now).map_err(unknown)?;
    let live = live(host, snapshot, claims.tenant.as_str(), &claims.key, now).await?;
    let live = live.filter(|live| live.short_hash() == claims.key_hash);
    let Some(live) = live else { return Err(unknown("the API key of this token is not good any more")) };
    let claimed = claims.roles.iter().max().copied().unwrap_or(Role::Readonly);
    let Claims { key, key_hash, .. } = claims;
    Ok(Identity { tenant: live.tenant, key, key_hash, role: claimed.min(live.role) })
}

/// A key that opens something now.
struct Live {
    tenant: Tenant,
    hash: String,
    role: Role,
}

impl Live {
    fn short_hash(&self) -> String {
        self.hash.chars().take(16).collect()
    }
}

/// Configured keys are at hand; made ones are read, and believed for a while. A tenant without a row is not looked
/// for, so that strangers cannot make the store work.
async fn live<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    tenant: &str,
    id: &str,
    now: Time,
) -> Result<Option<Live>, Error> {
    let config = snapshot.config();
    if let Some(row) = config.keys.iter().find(|row| row.id == id && row.tenant.as_str() == tenant) {
        return Ok(Some(Live { tenant: row.tenant.clone(), hash: row.hash.clone(), role: row.role }));
    }
    let Some(row) = config.tenants.iter().find(|row| row.name.as_str() == tenant) else { return Ok(None) };
    let ring = ring(host, snapshot, &row.name, id, now).await?;
    let stored = ring.keys.get(id).filter(|key| key.is_live(now));
    Ok(stored.map(|key| Live { tenant: row.name.clone(), hash: key.hash.clone(), role: key.role }))
}

async fn ring<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    tenant: &Tenant,
    id: &str,
    now: Time,
) -> Result<Arc<KeyRing>, Error> {
    if let Some(ring) = snapshot.ring(tenant, id, now) {
        return Ok(ring);
    }
    let stored = host.read(&ring::record(tenant), now).await?;
    let ring = match stored {
        None => KeyRing::default(),
        Some(stored) => serde_json::from_slice(&stored.value)
            .map_err(|_| Error::new(Kind::Internal, "the tenant's keys cannot be read"))?,
    };
    let ring = Arc::new(ring);
    snapshot.remember(tenant, &ring, now);
    Ok(ring)
}

fn unknown(why: &str) -> Error {
    Error::new(Kind::Unauthorized, why)
}
