//! One program, from its files to its outcome.

mod barriers;
mod collect;
mod folder;
mod harness;
mod kill;
mod lambda;
mod languages;
mod outcome;
mod output;
mod probe;
mod random;
mod settings;
mod spawn;
mod watch;
mod wipe;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use opencode_core::sandbox::{Execution, Isolation, Limits, Line, Outcome};
use rustix::process::Pid;

use self::barriers::{Barriers, limits};
use self::folder::Folder;
use self::languages::Language;
pub use self::probe::Refused;
pub use self::settings::Settings;
use self::spawn::Guest;
pub use self::wipe::empty;

/// A sandbox whose barriers have been probed. It runs one program at a time.
pub struct Sandbox {
    settings: Settings,
    barriers: Barriers,
    isolation: Isolation,
    /// Python's harness, compiled; empty where that was not possible.
    compiled: Vec<u8>,
    /// Interpreters that were started ahead, one of a language.
    waiting: BTreeMap<Language, Cell>,
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

/// A guest in its folder.
struct Cell {
    guest: Guest,
    folder: Folder,
    warm: bool,
}

impl Sandbox {
    /// Makes its base folder and finds out which barriers can be had here. Refuses where there are not enough of them.
    pub fn new(settings: Settings) -> Result<Self, Refused> {
        make_base(&settings).map_err(|error| {
            Refused(format!("the folder {} for runs cannot be made: {error}", settings.base.display()))
        })?;
        let found = probe::barriers(&settings);
        let (barriers, isolation) = found.inspect_err(|_| drop(wipe::remove(&settings.base)))?;
        let mut sandbox =
            Self { settings, barriers, isolation, compiled: Vec::new(), waiting: BTreeMap::new() };
        sandbox
            .empty_scratch()
            .map_err(|error| Refused(format!("what lay there cannot be wiped: {error}")))?;
        if sandbox.settings.python.is_some() {
            sandbox.compiled = sandbox.compile()?;
        }
        Ok(sandbox)
    }

    fn compile(&mut self) -> Result<Vec<u8>, Refused> {
        use base64::Engine;
        let (outcome, trust) = self.run(&harness::compile(), &mut |_| {});
        let says = outcome.message.unwrap_or(outcome.stderr);
        let content = outcome.artifacts.into_iter().find_map(|artifact| artifact.content);
        match content.map(|content| base64::engine::general_purpose::STANDARD.decode(content)) {
            Some(Ok(compiled)) if trust == Trust::Clean => Ok(compiled),
            _ => Err(Refused(format!("Python does not run here: {says}"))),
        }
    }

    /// What protects a run here.
    pub fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// Starts interpreters ahead where the settings ask for it and none waits. To be called when there is time: after
    /// an answer was sent.
    pub fn prepare(&mut self) {
        if self.barriers.full().is_none() {
            return;
        }
        for language in self.settings.warm.clone().iter().filter_map(|name| Language::find(name)) {
            if language.can_wait()
                && language.missing(&self.settings).is_none()
                && !self.waiting.contains_key(&language)
            {
                let limits = Limits { memory_bytes: 1 << 31, ..Limits::default() };
                if let Ok(mut cell) = self.start(language, &limits, None) {
                    cell.warm = true;
                    self.waiting.insert(language, cell);
                }
            }
        }
    }

    /// Runs a checked execution. When it returns, every process of the run is dead and confirmed, what it left is
    /// collected and its folder is wiped. Pieces of its output go to `sink` as they come; time that `sink` takes is
    /// time in which nothing is watched.
    pub fn run(&mut self, execution: &Execution, sink: &mut dyn FnMut(Line)) -> (Outcome, Trust) {
        let Some(language) = Language::find(&execution.language) else {
            return (outcome::refused("no such language", &self.isolation), Trust::Clean);
        };
        if let Some(missing) = language.missing(&self.settings) {
            return (outcome::refused(missing, &self.isolation), Trust::Clean);
        }
        if let Err(error) = self.empty_scratch() {
            return (
                outcome::refused(&format!("what lay there cannot be wiped: {error}"), &self.isolation),
                Trust::Recycle,
            );
        }
        match self.start_with(language, execution) {
            Ok((cell, feed)) => self.finish(cell, language, execution, &feed, sink),
            Err(error) => {
                let says = format!("the program could not be started: {error}");
                (outcome::refused(&says, &self.isolation), Trust::Recycle)
            }
        }
    }

    /// An interpreter that waits already, or a new one; with what it is to be fed.
    fn start_with(&mut self, language: Language, execution: &Execution) -> std::io::Result<(Cell, Vec<u8>)> {
        if let Some(mut cell) = self.waiting.remove(&language) {
            if self.ready(&cell, execution).is_ok() {
                cell.folder.write_files(&execution.files)?;
                let feed = language.prepare(execution, &cell.folder)?;
                return Ok((cell, feed));
            }
            self.discard(&mut cell);
        }
        let mut feed = Vec::new();
        let cell = self.start(language, &execution.limits, Some((execution, &mut feed)))?;
        Ok((cell, feed))
    }

    /// Gives an interpreter that waits the limits of its run. Fails where it waits no more.
    fn ready(&self, cell: &Cell, execution: &Execution) -> std::io::Result<()> {
        if !cell.guest.is_ready() {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        let children = watch::processes::descendants(cell.guest.leader);
        let [main] = children.as_slice() else { return Err(std::io::ErrorKind::NotFound.into()) };
        let main = Pid::from_raw(*main).ok_or(std::io::ErrorKind::NotFound)?;
        let values = limits::of(&execution.limits, self.used());
        match self.barriers.full().and_then(|full| full.identity) {
            Some(id) => Ok(limits::set_as(id, main, &values)?),
            None => Ok(limits::set(Some(main), &values)?),
        }
    }

    fn start(
        &self,
        language: Language,
        limits: &Limits,
        execution: Option<(&Execution, &mut Vec<u8>)>,
    ) -> std::io::Result<Cell> {
        let owner = self.barriers.full().and_then(|full| full.identity);
        let folder = Folder::make(&self.settings.base, owner)?;
        let values =
            if execution.is_some() { limits::of(limits, self.used()) } else { limits::widest(self.used()) };
        let started = (|| {
            let asked = execution.as_ref().map(|(execution, _)| *execution);
            let command = language.command(&self.settings, &self.compiled, &folder, limits, asked)?;
            if let Some((execution, feed)) = execution {
                folder.write_files(&execution.files)?;
                *feed = language.prepare(execution, &folder)?;
            }
            spawn::start(&command, &folder, &values, &self.barriers)
        })();
        match started {
            Ok(guest) => Ok(Cell { guest, folder, warm: false }),
            Err(error) => {
                wipe::remove(folder.path())?;
                Err(error)
            }
        }
    }

    /// Processes that count against the run's limit and are not its own.
    fn used(&self) -> u64 {
        let alone = self.barriers.full().is_some_and(|full| full.identity.is_some() || full.namespaces.user);
        if alone { 0 } else { watch::processes::of_this_user() }
    }

    fn finish(
        &mut self,
        mut cell: Cell,
        language: Language,
        execution: &Execution,
        feed: &[u8],
        sink: &mut dyn FnMut(Line),
    ) -> (Outcome, Trust) {
        sink(Line { kind: "started".to_owned(), text: None, outcome: None });
        let mut piece = |kind: &'static str, text: &str| {
            sink(Line { kind: kind.to_owned(), text: Some(text.to_owned()), outcome: None });
        };
        let input = watch::Input { stdin: execution.stdin.as_bytes(), feed };
        let mut seen = watch::watch(&mut cell.guest, &cell.folder, &execution.limits, input, &mut piece);
        let dead = kill::end(&mut cell.guest, &self.barriers);
        if !dead {
            return (outcome::undead(seen, self.isolation.clone()), Trust::Recycle);
        }
        watch::drain(&mut cell.guest, &mut seen, &mut piece);
        let left = collect::collect(&cell.folder, execution, language);
        let isolation = Isolation { warm: cell.warm, ..self.isolation.clone() };
        let mut outcome = outcome::of(seen, &cell.guest, left, execution, isolation);
        let wiped = wipe::remove(cell.folder.path()).and_then(|()| self.empty_scratch());
        if wiped.is_err() {
            outcome.message.get_or_insert_with(|| "what the program left could not be wiped".to_owned());
            return (outcome, Trust::Recycle);
        }
        (outcome, Trust::Clean)
    }

    /// Empties the folders that a program may have written to. No run's folder is among them when this is asked.
    fn empty_scratch(&mut self) -> std::io::Result<()> {
        if self.barriers.full().is_none() {
            // Programs are of our user: our own folder can be written to as well, and nothing waits in it.
            empty(&self.settings.base)?;
        }
        for folder in &self.settings.scratch {
            if self.settings.base.starts_with(folder) {
                wipe::empty_but(folder, &self.settings.base)?;
            } else {
                empty(folder)?;
            }
        }
        Ok(())
    }

    fn discard(&self, cell: &mut Cell) {
        kill::end(&mut cell.guest, &self.barriers);
        let _ = wipe::remove(cell.folder.path());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for (_, mut cell) in std::mem::take(&mut self.waiting) {
            self.discard(&mut cell);
        }
        let _ = wipe::remove(&self.settings.base);
    }
}

/// Only its owner may list it; another user that a run becomes must pass through it.
fn make_base(settings: &Settings) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o711).create(&settings.base)?;
    std::fs::set_permissions(&settings.base, std::fs::Permissions::from_mode(0o711))
}
