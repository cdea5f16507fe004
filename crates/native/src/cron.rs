//! The schedule: the core's tick, then the sweep of what expired.

use std::sync::Arc;
use std::time::Duration;

use opencode_core::host::StoreError;
use opencode_core::isolate::Isolate;
use opencode_core::work;
use opencode_net::answer::Gone;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::local::{Local, Shared, now};
use crate::store::Store;

/// How many portions of expired rows one tick removes.
const SWEEPS: usize = 20;

pub(crate) async fn run(
    shared: Arc<Shared>,
    isolate: Arc<Isolate>,
    every: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let mut clock = tokio::time::interval(every.max(Duration::from_millis(1)));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = clock.tick() => {}
        }
        let host = Local::new(Arc::clone(&shared), Gone::never(), None);
        let ticked = work::tick(host, Arc::clone(&isolate)).await;
        for error in &ticked.errors {
            tracing::warn!(error, "a tick left work for the next");
        }
        tracing::debug!(swept = ticked.swept, rolled = ticked.rolled, "tick");
        if let Err(error) = sweep(&shared.process.store).await {
            tracing::warn!(%error, "expired rows were not removed");
        }
    }
}

async fn sweep(store: &Store) -> Result<(), StoreError> {
    store.forget_dead(now()).await?;
    for _ in 0..SWEEPS {
        if !store.sweep(now()).await? {
            break;
        }
    }
    Ok(())
}
