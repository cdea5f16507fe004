//! The configuration in force, looked at anew when it may have changed.

use std::sync::Arc;

use crate::host::{Host, Key, StoreError};
use crate::identity::Tenant;
use crate::isolate::Isolate;
use crate::snapshot::Snapshot;

/// Where a configuration that was written while the platform runs is kept. It goes before the host's own.
pub fn record() -> Key {
    Key::new(&Tenant::system(), "config")
}

/// What a request, a message or a tick runs with. Looks for a newer configuration every five seconds, and waits for it,
/// since a host may not do anything between requests.
pub async fn snapshot<H: Host>(host: &H, isolate: &Isolate) -> Arc<Snapshot> {
    let now = host.now();
    if !isolate.is_due(now) {
        return isolate.snapshot();
    }
    let found = find(host).await;
    isolate.learn(found, now)
}

async fn find<H: Host>(host: &H) -> Result<Option<bytes::Bytes>, StoreError> {
    match host.read(&record(), host.now()).await? {
        Some(stored) if !stored.value.is_empty() => Ok(Some(stored.value)),
        _ => host.settings().await,
    }
}
