//! What types cannot say: bounds, names, and that rows fit together.

use std::collections::BTreeSet;

use super::rows::{KeyRow, TargetRow, TenantRow};
use super::{Config, sandbox};
use crate::identity::Tenant;
use crate::route::MAX_TARGETS;

/// A path such as `targets.1.base_url`, and what its value must be.
pub(super) type Wrong = (String, String);

/// The most rows of a kind.
const MAX_ROWS: usize = 10_000;

pub(super) fn check(config: &Config) -> Result<(), Wrong> {
    limits(config)?;
    targets(&config.targets)?;
    tenants(&config.tenants, &config.targets)?;
    keys(config, &config.keys)
}

fn limits(config: &Config) -> Result<(), Wrong> {
    let deadlines = &config.deadlines;
    let bounds = [
        ("connect_ms", deadlines.connect_ms),
        ("first_content_ms", deadlines.first_content_ms),
        ("idle_ms", deadlines.idle_ms),
        ("whole_ms", deadlines.whole_ms),
    ];
    if let Some((name, _)) = bounds.iter().find(|(_, bound)| *bound == 0) {
        return Err((format!("deadlines.{name}"), "must be at least 1 ms".to_owned()));
    }
    if config.retries.attempts > 5 {
        return wrong("retries.attempts", "must be at most 5");
    }
    if config.runs.lease_ms < 1_000 {
        return wrong("runs.lease_ms", "must be at least 1000");
    }
    if config.runs.keep_seconds == 0 {
        return wrong("runs.keep_seconds", "must be at least 1");
    }
    if config.queue.max_attempts == 0 {
        return wrong("queue.max_attempts", "must be at least 1");
    }
    if config.limits.body_bytes < 1_024 {
        return wrong("limits.body_bytes", "must be at least 1024");
    }
    if !(60..=86_400).contains(&config.auth.token_seconds) {
        return wrong("auth.token_seconds", "must be 60 to 86400");
    }
    if config.auth.issuer.is_empty() {
        return wrong("auth.issuer", "must not be empty");
    }
    if config.auth.audience.is_empty() {
        return wrong("auth.audience", "must not be empty");
    }
    for (at, origin) in config.cors.origins.iter().enumerate() {
        let sound = origin == "*" || (origin.contains("://") && !origin.ends_with('/') && origin.is_ascii());
        if !sound {
            let what = "must be an origin such as https://app.example, without a slash at the end, or `*`";
            return Err((format!("cors.origins.{at}"), what.to_owned()));
        }
    }
    config.sandbox.check()?;
    config.features.check().map_err(|(name, what)| (format!("features.{name}"), what))
}

fn targets(rows: &[TargetRow]) -> Result<(), Wrong> {
    few("targets", rows.len())?;
    let mut names = BTreeSet::new();
    for (at, row) in rows.iter().enumerate() {
        let wrong = |name: &str, what: &str| Err((format!("targets.{at}.{name}"), what.to_owned()));
        if row.name.is_empty() || row.name.contains('/') || row.name == "opencode" {
            return wrong("name", "must not be empty, hold a slash or be `opencode`");
        }
        if !names.insert(&row.name) {
            return wrong("name", "stands in two rows");
        }
        let plain = row.base_url.starts_with("https://") || row.base_url.starts_with("http://");
        if !plain || row.base_url.ends_with('/') {
            return wrong("base_url", "must begin with https:// or http:// and not end with a slash");
        }
        if row.base_url.parse::<http::Uri>().is_err() || row.base_url.contains(['?', '#', '@']) {
            return wrong("base_url", "must be a plain URL, without credentials and query");
        }
        if row.secret.as_deref().is_some_and(|name| !is_variable(name)) {
            return wrong(
                "secret",
                "must be the NAME of a secret, in capitals, digits and `_`: never the secret itself, nor one of the \
                 platform's own (OPENCODE_…, AWS_…, CLOUDFLARE_…)",
            );
        }
        for (name, price) in
            [("usd_per_mtok_in", row.usd_per_mtok_in), ("usd_per_mtok_out", row.usd_per_mtok_out)]
        {
            if !price.is_finite() || price < 0.0 {
                return wrong(name, "must be 0 or more: it is a price");
            }
        }
    }
    Ok(())
}

fn tenants(rows: &[TenantRow], targets: &[TargetRow]) -> Result<(), Wrong> {
    few("tenants", rows.len())?;
    let known = |name: &String| {
        let provider = name.split_once('/').map_or(name.as_str(), |(provider, _)| provider);
        targets.iter().any(|row| row.name == provider || row.model == *name)
    };
    let mut names = BTreeSet::new();
    for (at, row) in rows.iter().enumerate() {
        let wrong = |name: &str, what: &str| Err((format!("tenants.{at}.{name}"), what.to_owned()));
        if !names.insert(&row.name) {
            return wrong("name", "stands in two rows");
        }
        if row.name == Tenant::system() {
            return wrong("name", "must not be `_`: that is the platform itself");
        }
        // 0 means no limit: nothing else may come to mean it.
        let budget = row.usd_per_day;
        if !budget.is_finite() || budget < 0.0 || (budget > 0.0 && budget < 0.000_001) {
            return wrong("usd_per_day", "must be 0 or at least 0.000001");
        }
        if row.targets.len() > MAX_TARGETS || row.targets.iter().any(|name| !known(name)) {
            return wrong(
                "targets",
                "must name at most 8 targets as provider/model, with providers of [[targets]]",
            );
        }
        row.features.check().map_err(|(name, what)| (format!("tenants.{at}.features.{name}"), what))?;
        if let Some(most) = &row.sandbox.most {
            sandbox::limits(most, &format!("tenants.{at}.sandbox.most"))?;
        }
    }
    Ok(())
}

fn keys(config: &Config, rows: &[KeyRow]) -> Result<(), Wrong> {
    few("keys", rows.len())?;
    let mut names = BTreeSet::new();
    for (at, row) in rows.iter().enumerate() {
        let wrong = |name: &str, what: &str| Err((format!("keys.{at}.{name}"), what.to_owned()));
        if !crate::identity::key::is_id(&row.id) {
            return wrong("id", "must be 1 to 32 letters and digits");
        }
        if config.tenant(&row.tenant).is_none() {
            return wrong("tenant", "has no row in [[tenants]]");
        }
        if !names.insert((&row.tenant, &row.id)) {
            return wrong("id", "stands in two rows of this tenant");
        }
        if row.hash.len() != 64 || !row.hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return wrong("hash", "must be the 64 hexadecimal digits that `opencode admin mint-key` prints");
        }
    }
    Ok(())
}

fn few(name: &str, rows: usize) -> Result<(), Wrong> {
    if rows > MAX_ROWS {
        Err((name.to_owned(), format!("must hold at most {MAX_ROWS} rows")))
    } else {
        Ok(())
    }
}

fn is_variable(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_uppercase() || b == b'_';
    // Whoever may change targets must not be able to send these anywhere.
    let ours = ["OPENCODE_", "AWS_", "CLOUDFLARE_"].iter().any(|prefix| name.starts_with(prefix));
    name.len() <= 64
        && !ours
        && name.bytes().next().is_some_and(letter)
        && name.bytes().all(|b| letter(b) || b.is_ascii_digit())
}

fn wrong(path: &str, what: &str) -> Result<(), Wrong> {
    Err((path.to_owned(), what.to_owned()))
}
