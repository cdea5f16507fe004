//! One program, from its files to its outcome.

use opencode_core::sandbox::{Execution, Isolation, Line, Outcome};

/// A sandbox whose barriers have been probed. It runs one program at a time.
pub struct Sandbox {
    isolation: Isolation,
}

/// What is to be thought of the environment after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Everything of the run is dead and wiped.
    Clean,
    /// Something could not be ended, wiped or believed: this process must answer and then end, with its whole
    /// environment.
    Recycle,
}

impl Sandbox {
    /// What protects a run here.
    pub fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// Runs a checked execution. When it returns, every process of the run is dead and confirmed, what it left is
    /// collected and its folder is wiped. Pieces of its output go to `sink` as they come.
    pub fn run(&mut self, execution: &Execution, sink: &mut dyn FnMut(Line)) -> (Outcome, Trust) {
        let _ = (execution, sink);
        todo!()
    }
}
