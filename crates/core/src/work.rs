//! One queue message or one schedule tick.

use std::sync::Arc;
use std::time::Duration;

use crate::host::{Host, Message};
use crate::isolate::Isolate;

/// What the host does with a message that was handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Handled: acknowledge it.
    Done,
    /// Deliver it again, not before `after`.
    Retry {
        /// At most 15 minutes.
        after: Duration,
    },
    /// It failed for the last time and the tenant's `dead` log says so: move it to the dead letters.
    Dead,
}

/// What a tick did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Holds that were closed for their abandoned owners.
    pub swept: u32,
    /// Receipts that were added to the usage totals.
    pub rolled: u32,
    /// What could not be done now; the next tick tries again.
    pub errors: Vec<String>,
}

/// Handles one delivery. `attempt` counts deliveries from 1.
pub async fn message<H: Host>(host: H, isolate: Arc<Isolate>, message: &Message, attempt: u32) -> Verdict {
    let _ = (host, isolate, message, attempt);
    Verdict::Done
}

/// Sweeps expired holds and rolls up usage, for every tenant. Called once a minute or oftener.
pub async fn tick<H: Host>(host: H, isolate: Arc<Isolate>) -> Ticked {
    let _ = (host, isolate);
    Ticked::default()
}
