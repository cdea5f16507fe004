//! The configuration that is written while the platform runs: one record, the same on every host.

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;

use super::{Asking, current, nothing};
use crate::api::response::whole;
use crate::config::Config;
use crate::error::{Error, Kind};
use crate::host::{Host, Swap};
use crate::identity::Identity;
use crate::snapshot::Snapshot;

/// How often a write that lost a race is tried again.
const TRIES: usize = 5;

/// `GET /api/v1/config`: what was stored.
pub async fn read<H: Host>(host: &H) -> Result<Response<Bytes>, Error> {
    let stored = host.read(&current::record(), host.now()).await?.filter(|stored| !stored.value.is_empty());
    let stored = stored.ok_or_else(|| {
        let detail = "no configuration is stored: the one that the hosts were started with is in force";
        Error::new(Kind::NotFound, detail)
    })?;
    Ok(whole(200, "application/toml", stored.value))
}

/// `PUT /api/v1/config`: stores a text that was checked first.
pub async fn write<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    caller: &Identity,
    asking: &Asking,
) -> Result<Response<Bytes>, Error> {
    check(snapshot, caller, asking)?;
    replace(host, &asking.body).await
}

/// `DELETE /api/v1/config`: the host's own counts again.
pub async fn remove<H: Host>(host: &H) -> Result<Response<Bytes>, Error> {
    replace(host, &Bytes::new()).await
}

async fn replace<H: Host>(host: &H, text: &Bytes) -> Result<Response<Bytes>, Error> {
    for _ in 0..TRIES {
        let now = host.now();
        let seen = host.read(&current::record(), now).await?.map_or(0, |stored| stored.version);
        if let Swap::Done(_) = host.swap(&current::record(), seen, text.clone(), None, now).await? {
            return Ok(nothing());
        }
    }
    Err(Error::new(Kind::Unavailable, "the configuration is changing too fast; try again"))
}

fn check(snapshot: &Snapshot, caller: &Identity, asking: &Asking) -> Result<(), Error> {
    let kind = asking.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !["application/toml", "text/plain", "text/toml", ""].contains(&kind) {
        let detail = "send the configuration as `Content-Type: application/toml`";
        return Err(Error::new(Kind::UnsupportedMedia, detail).at("content-type"));
    }
    let wrong = |what: String| Error::new(Kind::Unprocessable, what);
    let text = std::str::from_utf8(&asking.body).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    let config = Config::parse(text).map_err(|problem| wrong(problem.to_string()))?;
    if asking.body.is_empty() {
        return Err(wrong("it is empty; DELETE goes back to the host's own".to_owned()));
    }
    // Nobody locks themselves out by mistake.
    if !snapshot.keeps(caller, &config) {
        let detail =
            "the key or the tenant that you call with is missing from it: you would lock yourself out";
        return Err(Error::new(Kind::Conflict, detail));
    }
    Ok(())
}
