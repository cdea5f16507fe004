//! Event after event.

use std::io;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use opencode_core::sandbox::{Execution, Isolation, Line, Outcome, Sealing, Status, bounds};

use super::guard::Guard;
use super::{Api, Invocation, Taken};
use crate::run::{Sandbox, Trust};
use crate::serve::outcome::{fitted, line, line_of, without_run};

/// What runs an execution.
pub trait Engine {
    /// See [`Sandbox::isolation`].
    fn isolation(&self) -> &Isolation;
    /// See [`Sandbox::run`].
    fn run(&mut self, execution: &Execution, sink: &mut dyn FnMut(Line)) -> (Outcome, Trust);
    /// See [`Sandbox::prepare`].
    fn prepare(&mut self);
}

impl Engine for Sandbox {
    fn isolation(&self) -> &Isolation {
        Self::isolation(self)
    }

    fn run(&mut self, execution: &Execution, sink: &mut dyn FnMut(Line)) -> (Outcome, Trust) {
        Self::run(self, execution, sink)
    }

    fn prepare(&mut self) {
        Self::prepare(self);
    }
}

/// What an environment holds to.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Answers are sealed with it.
    pub seal: Option<String>,
    /// End after every run: where environments are not bound to a tenant.
    pub recycle: bool,
    /// Bytes of an answer that is one object. Lambda's bound is 6 MB.
    pub answer_bytes: usize,
    /// Must be empty between runs, but for what the engine itself keeps.
    pub scratch: Vec<PathBuf>,
    /// The engine's own folder.
    pub folder: PathBuf,
    /// Whether the code cannot read this process: its environment and its memory.
    pub nondumpable: bool,
}

/// Why an environment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A run has left something that cannot be trusted, or every run ends its environment.
    Recycled,
    /// The answer was refused: somebody else has answered.
    Refused,
    /// The Runtime API is gone.
    Lost,
}

/// Before the environment's end, a run must be over and its answer sent: milliseconds.
const LEAVE: u64 = 2_000;

/// Serves events until the environment must end.
pub fn serve(api: &Api, engine: &mut dyn Engine, rules: &Rules) -> End {
    let guard = Guard::new();
    loop {
        engine.prepare();
        let Ok(invocation) = api.next() else { return End::Lost };
        match lap(api, engine, rules, &guard, &invocation) {
            Ok(None) => {}
            Ok(Some(end)) => return end,
            Err(_) => return End::Lost,
        }
    }
}

fn lap(
    api: &Api,
    engine: &mut dyn Engine,
    rules: &Rules,
    guard: &Guard,
    invocation: &Invocation,
) -> io::Result<Option<End>> {
    let id = &invocation.id;
    let execution = match read(invocation) {
        Ok(execution) => execution,
        // Nothing was run.
        Err(why) => {
            let taken = api.fail(id, "Execution.Invalid", &why)?;
            return Ok((taken != Taken::Yes).then_some(End::Refused));
        }
    };
    let sealing = rules.seal.as_deref().map(|key| Sealing::new(key, &execution.nonce));
    let mut answer = Answer { sealing, streamed: None, whole: Vec::new() };
    let streams = !execution.whole;
    if streams {
        answer.streamed = Some(api.stream(id)?);
        answer.say(&line(&line_of("started", None, None)));
    }
    let (mut outcome, mut trust) = engine.run(&execution, &mut |piece| {
        if streams && matches!(piece.kind.as_str(), "stdout" | "stderr") {
            answer.say(&line(&piece));
        }
    });
    if streams {
        outcome.stdout.clear();
        outcome.stderr.clear();
    }
    if let Some(doubt) = guard.doubt(&rules.scratch, &rules.folder) {
        trust = Trust::Recycle;
        if doubt.poisons() {
            outcome = without_run(Status::Poisoned, doubt.says(), engine.isolation());
        }
    }
    outcome.isolation.nondumpable = rules.nondumpable;
    outcome.isolation.recycled = rules.recycle || trust == Trust::Recycle;
    let ends = outcome.isolation.recycled;
    let most = if streams { bounds::LINE } else { rules.answer_bytes };
    answer.say(&fitted(outcome, most, streams));
    match answer.end(api, id)? {
        Taken::No(_) => Ok(Some(End::Refused)),
        Taken::Yes => Ok(ends.then_some(End::Recycled)),
    }
}

/// The event, held against every bound; its wall time ends before the environment does.
fn read(invocation: &Invocation) -> Result<Execution, String> {
    let mut execution: Execution = serde_json::from_slice(&invocation.event)
        .map_err(|error| format!("the event is no execution: {error}"))?;
    execution.check().map_err(|error| error.to_string())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let left = invocation.deadline.map(|deadline| u128::from(deadline).saturating_sub(now));
    let left = left.map_or(u64::MAX, |left| u64::try_from(left).unwrap_or(u64::MAX).saturating_sub(LEAVE));
    execution.limits.wall_ms = execution.limits.wall_ms.min(left.max(*bounds::WALL_MS.start()));
    Ok(execution)
}

/// An answer on its way, whole or in pieces, with its seal.
struct Answer {
    sealing: Option<Sealing>,
    streamed: Option<super::Streamed>,
    whole: Vec<u8>,
}

impl Answer {
    fn say(&mut self, line: &[u8]) {
        if let Some(sealing) = &mut self.sealing {
            sealing.add(line);
        }
        match &mut self.streamed {
            Some(streamed) => streamed.piece(line),
            None => self.whole.extend_from_slice(line),
        }
    }

    fn end(mut self, api: &Api, id: &str) -> io::Result<Taken> {
        if let Some(sealing) = self.sealing.take() {
            self.say(&line(&line_of("seal", Some(sealing.text()), None)));
        }
        match self.streamed {
            Some(streamed) => streamed.end(),
            None => api.respond(id, &self.whole),
        }
    }
}

#[cfg(test)]
mod tests;
