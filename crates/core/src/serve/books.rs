//! What a tenant reads: models, receipts, usage, dead letters.

use bytes::Bytes;
use http::Response;

use super::Asking;
use crate::api::reports::{self, Page};
use crate::api::response::json_of;
use crate::error::Error;
use crate::host::{Host, Key};
use crate::identity::Tenant;
use crate::isolate::Isolate;
use crate::ledger::{reserve, usage};
use crate::route::OWN_MODELS;
use crate::wire::openai;

/// `GET /v1/models`: the platform's own names, then every target.
pub fn models(isolate: &Isolate) -> Response<Bytes> {
    let rows = isolate.config().targets.iter();
    let targets: Vec<(String, &str)> =
        rows.map(|row| (format!("{}/{}", row.name, row.model), row.name.as_str())).collect();
    let own = OWN_MODELS.iter().map(|(name, _)| (*name, "opencode"));
    json_of(200, &openai::models_of(own.chain(targets.iter().map(|(name, owner)| (name.as_str(), *owner)))))
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
    let stored = host.read(&usage::record(tenant), host.now()).await?;
    let totals = stored.and_then(|stored| serde_json::from_slice(&stored.value).ok()).unwrap_or_default();
    Ok(json_of(200, &reports::usage(&totals)))
}

async fn log<H: Host>(host: &H, name: &str, log: &Key, asking: &Asking) -> Result<Response<Bytes>, Error> {
    let page = Page::read(asking.uri.query());
    let entries = host.scan(log, &page.after, page.limit).await?;
    Ok(json_of(200, &reports::entries(name, &entries, page.limit)))
}
