//! How long each phase took.

use std::time::{Duration, Instant};

/// A stop watch with a name for each lap.
pub struct Times {
    laps: Vec<(String, Duration)>,
}

impl Times {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Self { laps: Vec::new() }
    }

    /// Does something and remembers how long it took, also when it fails.
    pub fn lap<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        println!("--- {name}");
        let start = Instant::now();
        let outcome = work();
        self.laps.push((name.to_owned(), start.elapsed()));
        outcome
    }

    /// One line for each phase and the total, in minutes.
    pub fn print(&self) {
        println!("--- minutes");
        for (name, time) in &self.laps {
            println!("{:>6.1}  {name}", minutes(*time));
        }
        println!("{:>6.1}  total", minutes(self.laps.iter().map(|(_, time)| *time).sum()));
    }
}

/// A duration in minutes.
pub fn minutes(time: Duration) -> f64 {
    time.as_secs_f64() / 60.0
}
