//! How often someone who follows what is being written looks again.

use std::pin::pin;
use std::time::Duration;

use futures::future::{self, Either};

use crate::host::Host;

/// The pause after something was found.
const FIRST: Duration = Duration::from_millis(100);

/// Pauses that double up to a bound while nothing is found.
pub struct Pace {
    pause: Duration,
    most: Duration,
}

impl Pace {
    /// Pauses of at most this.
    pub fn new(most: Duration) -> Self {
        Self { pause: FIRST, most }
    }

    /// Something was found.
    pub fn found(&mut self) {
        self.pause = FIRST;
    }

    /// Waits a while; whether the caller left meanwhile.
    pub async fn caller_left<H: Host>(&mut self, host: &H) -> bool {
        let pause = self.pause;
        self.pause = pause.saturating_mul(2).min(self.most);
        let gone = pin!(host.gone());
        let slept = pin!(host.sleep(pause));
        matches!(future::select(gone, slept).await, Either::Left(_))
    }
}
