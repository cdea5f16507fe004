//! What a tenant reads: models, receipts, usage, dead letters.

use bytes::Bytes;
use http::Response;

use super::Asking;
use crate::api::reports::{self, Page};
use crate::api::response::json_of;
use crate::error::{Error, Kind};
use crate::host::{Host, Key};
use crate::identity::Tenant;
use crate::ledger::usage::Usage;
use crate::ledger::{reserve, usage};
use crate::route::{self, OWN_MODELS};
use crate::snapshot::Snapshot;
use crate::wire::openai;

/// `GET /v1/models`: the platform's own names, then every target's models.
pub fn models(snapshot: &Snapshot) -> Response<Bytes> {
    json_of(200, &openai::models_of(&names(snapshot)))
}

/// `GET /v1/models/{model}`.
pub fn model(snapshot: &Snapshot, name: &str) -> Result<Response<Bytes>, Error> {
    let found = names(snapshot).into_iter().find(|known| known == name);
    let found = found.ok_or_else(|| {
        Error::new(Kind::NotFound, "there is no such model here; GET /v1/models lists them").at("model")
    })?;
    Ok(json_of(200, &openai::model_of(&found)))
}

fn names(snapshot: &Snapshot) -> Vec<String> {
    let config = snapshot.config();
    let own = OWN_MODELS.iter().map(|(name, _)| (*name).to_owned());
    own.chain(route::models(config)).chain(route::embedders(config)).collect()
}

/// `GET /api/v1/receipts`.
pub async fn receipts<H: Host>(host: &H, tenant: &Tenant, asking: &Asking) -> Result<Response<Bytes>, Error> {
    log(host, "receipts", &reserve::receipts(tenant), asking).await
}

/// `GET /api/v1/dead-letters`.
pub async fn dead_letters<H: Host>(
    host: &H,
    tenant: &Tenant,
    asking: &Asking,
) -> Result<Response<Bytes>, Error> {
    log(host, "dead_letters", &reports::dead_letters(tenant), asking).await
}

/// `GET /api/v1/usage`.
pub async fn usage<H: Host>(host: &H, tenant: &Tenant) -> Result<Response<Bytes>, Error> {
    Ok(json_of(200, &reports::usage(&totals(host, tenant).await?)))
}

/// `GET /api/v1/metrics`, unless the tenant's flags switch it off.
pub async fn metrics<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    tenant: &Tenant,
) -> Result<Response<Bytes>, Error> {
    let flags = snapshot.config().flags(tenant);
    if !flags.metrics {
        return Err(Error::new(Kind::NotFound, "metrics are switched off by `features.metrics`"));
    }
    Ok(json_of(200, &reports::metrics(&totals(host, tenant).await?, flags.detailed_tracking)))
}

async fn totals<H: Host>(host: &H, tenant: &Tenant) -> Result<Usage, Error> {
    let stored = host.read(&usage::record(tenant), host.now()).await?;
    Ok(stored.and_then(|stored| serde_json::from_slice(&stored.value).ok()).unwrap_or_default())
}

async fn log<H: Host>(host: &H, name: &str, log: &Key, asking: &Asking) -> Result<Response<Bytes>, Error> {
    let page = Page::read(asking.uri.query())?;
    let entries = host.scan(log, &page.after, page.limit).await?;
    Ok(json_of(200, &reports::entries(name, &entries, page.limit)))
}
