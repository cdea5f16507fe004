//! The queue's consumer: claims what is due, runs it through the core, applies the verdict.

use std::sync::Arc;
use std::time::Duration;

use opencode_core::isolate::Isolate;
use opencode_core::work::{self, Verdict};
use opencode_net::answer::Gone;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::local::{Local, Shared, now};
use crate::store::queue::{Claimed, Fate};

/// How many messages one claim takes, and how many run at once.
const CLAIM: usize = 10;
const RUNNING: usize = 64;
/// How often the table is looked at when nobody rings: for delayed messages, ended leases and other processes.
const POLL: Duration = Duration::from_millis(250);

/// Runs until `stop`, then lets running messages finish.
pub(crate) async fn run(shared: Arc<Shared>, isolate: Arc<Isolate>, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    loop {
        let more = claim(&shared, &isolate, &mut running).await;
        let poll = if more { Duration::ZERO } else { POLL };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(ended) = running.join_next() => report(ended),
            () = shared.process.bell.notified() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
    while let Some(ended) = running.join_next().await {
        report(ended);
    }
}

/// Starts what is due; true when there may be more and there is room for it.
async fn claim(shared: &Arc<Shared>, isolate: &Arc<Isolate>, running: &mut JoinSet<()>) -> bool {
    let limit = CLAIM.min(RUNNING.saturating_sub(running.len()));
    if limit == 0 {
        return false;
    }
    let lease = now().plus(Duration::from_millis(isolate.snapshot().config().runs.lease_ms));
    match shared.process.store.claim(limit, now(), lease).await {
        Ok(claimed) => {
            let more = claimed.len() == CLAIM;
            for claimed in claimed {
                running.spawn(deliver(Arc::clone(shared), Arc::clone(isolate), claimed));
            }
            more
        }
        Err(error) => {
            tracing::warn!(%error, "the queue cannot be read");
            false
        }
    }
}

async fn deliver(shared: Arc<Shared>, isolate: Arc<Isolate>, claimed: Claimed) {
    let Claimed { id, attempt, message } = claimed;
    let host = Local::new(Arc::clone(&shared), Gone::never(), None);
    let fate = match work::message(host, isolate, &message, attempt).await {
        Verdict::Done => Fate::Delete,
        Verdict::Retry { after } => Fate::Again(now().plus(after)),
        Verdict::Dead => Fate::Dead,
    };
    // If this fails, the message comes again when its lease ends.
    if let Err(error) = shared.process.store.settle(id, attempt, fate).await {
        tracing::warn!(%error, topic = message.topic, "a verdict was not stored");
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a message's handling broke off; it comes again when its lease ends");
    }
}
