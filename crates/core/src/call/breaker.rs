//! A circuit breaker per target, per isolate.

/// By target name.
#[derive(Default)]
pub struct Breakers;
