//! `cargo xtask bench streams`: what a stream costs on its way through the native gateway: its first token, the
//! processor time of each, and a thousand at once.

mod dialect;
mod first;
mod load;
mod many;
mod passing;
mod poll;
mod source;
mod watch;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::dialect::Dialect;
use self::load::Wanted;
use self::source::Pace;
use super::bounds::Bound;
use super::contestant::ours::{self, Served, Target};
use super::contestant::{Ask, empty};
use super::question::MODEL;
use super::{Options, machine, overhead, tables};
use crate::artefacts;
use crate::failure::Result;

/// A part of the run: its figures and bounds.
type Part = fn(&Stage) -> Result<(Value, Vec<Bound>)>;

const PARTS: [(&str, Part); 3] =
    [("first-token", first::measure), ("passing", passing::measure), ("many", many::measure)];

/// What the parts run with.
struct Stage {
    /// For whatever is written.
    folder: PathBuf,
    /// The upstream's address.
    source: String,
    native: PathBuf,
    quick: bool,
}

/// What `--only` can name.
pub fn keys() -> Vec<&'static str> {
    PARTS.map(|(name, _)| name).into()
}

/// Measures, prints tables and writes the report. A bound that is missed is marked and is no failure of the run.
pub fn run(options: &Options) -> Result<()> {
    poll::many_files()?;
    let native = overhead::artefact("OPENCODE_NATIVE_BIN", artefacts::native_release)?;
    let folder = empty(&overhead::folder().join("streams"))?;
    let stage = Stage { folder, source: source::start()?, native, quick: options.quick };
    let mut report = json!({"machine": machine::describe(), "quick": options.quick});
    let mut bounds = Vec::new();
    for (name, measure) in PARTS.into_iter().filter(|(name, _)| options.wants(name)) {
        let (figures, more) = measure(&stage)?;
        report[name] = figures;
        bounds.extend(more);
    }
    report["bounds"] = bounds.iter().map(Bound::json).collect();
    tables::bounds(&bounds);
    overhead::write(&report, "streams.json")
}

impl Stage {
    /// A gateway of ours with a target of each dialect, all of one pace.
    fn serve(&self, name: &str, pace: Pace) -> Result<Served> {
        let targets = Dialect::ALL.map(|dialect| Target {
            name: dialect.name().to_owned(),
            dialect: dialect.name(),
            base_url: format!("http://{}/{}/{}", self.source, pace.path(), dialect.version()),
        });
        ours::serve(&self.native, &self.empty(name)?, &targets, "")
    }

    fn empty(&self, name: &str) -> Result<PathBuf> {
        empty(Path::new(&self.folder).join(name).as_path())
    }
}

/// A stream that is asked of the upstream, or of what passes everything on to it.
fn direct(address: &str, dialect: Dialect, pace: Pace) -> Wanted {
    let path = format!("/{}/{}/{}", pace.path(), dialect.version(), dialect.path(MODEL));
    Wanted { ask: ask(address, path, dialect, MODEL), caller: dialect, tokens: pace.tokens }
}

/// A stream of one dialect's target that is asked of us in another, or in the same.
fn through(served: &Served, upstream: Dialect, caller: Dialect, pace: Pace) -> Wanted {
    let model = format!("{}/{MODEL}", upstream.name());
    let path = format!("/{}/{}", caller.version(), caller.path(&model));
    let ask = served.open(ask(&served.address, path, caller, &model));
    Wanted { ask, caller, tokens: pace.tokens }
}

fn ask(address: &str, path: String, caller: Dialect, model: &str) -> Ask {
    Ask { address: address.to_owned(), path, headers: Vec::new(), body: caller.body(model) }
}
