//! A circuit breaker per target, per isolate: cheap, forgotten with the isolate, and never shared.
//!
//! Closed → open after [`TRIP`] failures in a row → half-open after [`COOLDOWN`]: one probe at a time; its success
//! closes, its failure opens again. An open target is not refused but tried last: with nothing else left, a try is
//! better than none.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::host::Time;

/// Failures in a row that open a breaker.
pub const TRIP: u32 = 5;
/// How long an open breaker waits before it lets a probe through.
pub const COOLDOWN: Duration = Duration::from_secs(10);
/// How many targets are remembered; when full, the memory is begun anew.
const MAX_TARGETS: usize = 1_024;

/// By target name.
#[derive(Default)]
pub struct Breakers(BTreeMap<String, Breaker>);

#[derive(Default)]
struct Breaker {
    failures: u32,
    opened: Option<Time>,
}

impl Breakers {
    /// Whether a target should be asked in its turn. Asking an open breaker after its cooldown takes the probe.
    pub fn admits(&mut self, target: &str, now: Time) -> bool {
        let Some(breaker) = self.0.get_mut(target) else { return true };
        match breaker.opened {
            None => true,
            Some(opened) if now.since(opened) >= COOLDOWN => {
                breaker.opened = Some(now);
                true
            }
            Some(_) => false,
        }
    }

    /// Whether a target's breaker is open, without taking its probe.
    pub fn is_open(&self, target: &str, now: Time) -> bool {
        let opened = self.0.get(target).and_then(|breaker| breaker.opened);
        opened.is_some_and(|opened| now.since(opened) < COOLDOWN)
    }

    /// Notes what a target did.
    pub fn note(&mut self, target: &str, good: bool, now: Time) {
        if good {
            self.0.remove(target);
            return;
        }
        if self.0.len() >= MAX_TARGETS && !self.0.contains_key(target) {
            self.0.clear();
        }
        let breaker = self.0.entry(target.to_owned()).or_default();
        breaker.failures = breaker.failures.saturating_add(1);
        if breaker.failures >= TRIP {
            breaker.opened = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_opens_probes_and_closes() {
        let mut breakers = Breakers::default();
        let at = |seconds: u64| Time(seconds * 1000);
        for _ in 0..TRIP {
            assert!(breakers.admits("a", at(0)));
            breakers.note("a", false, at(0));
        }
        assert!(!breakers.admits("a", at(9)));
        assert!(breakers.admits("b", at(9)), "other targets are not concerned");
        assert!(breakers.admits("a", at(10)), "one probe");
        assert!(!breakers.admits("a", at(11)), "only one");
        breakers.note("a", true, at(12));
        assert!(breakers.admits("a", at(12)));
    }
}
