//! The Worker on bare workerd beside the least that a Worker can do: pass a request on, in ten lines of JavaScript.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::bounds::Bound;
use super::contestant::{Ask, empty, ours as native_host};
use super::http::Connection;
use super::question::{self, Kind, MODEL};
use super::sample::{ms, us};
use super::workerd::{self, Service, Workerd};
use super::{Options, nginx, overhead, wrk};
use crate::artefacts::{self, WORKER_TOOLS};
use crate::failure::{Doing, Result, failed};
use crate::size;
use crate::tools::{Tool, set_up};

/// Processor time is taken over at least as many answers.
const ANSWERS: f64 = 10_000.0;
const ANSWERS_QUICK: f64 = 500.0;
/// Over as many connections.
const CONNECTIONS: usize = 4;
/// One turn of each.
const TURN: Duration = Duration::from_secs(2);

const PASS_THROUGH: &str = r#"export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    return fetch(env.UPSTREAM + url.pathname, {
      method: request.method,
      headers: request.headers,
      body: request.body,
    });
  },
};
"#;

/// One of the two while it is measured.
struct Side {
    workerd: Workerd,
    ask: Ask,
    answers: f64,
    spent: Duration,
    p50: Vec<f64>,
    cpu: Vec<f64>,
}

/// Sizes, starts and processor time, and the bound of the size.
pub fn measure(options: &Options) -> Result<(Value, Vec<Bound>)> {
    println!("measuring the Worker");
    let given = std::env::var_os("OPENCODE_WORKER_DIR").is_some();
    let tools = set_up(if given { &[Tool::Npm] } else { &WORKER_TOOLS })?;
    let bundle = overhead::artefact("OPENCODE_WORKER_DIR", || artefacts::worker(&tools))?;
    let native = overhead::artefact("OPENCODE_NATIVE_BIN", artefacts::native_release)?;
    let folder = empty(&overhead::folder().join("worker"))?;
    let upstream = nginx::upstream(&folder.join("upstream"))?;

    let mut ours = ours(&tools.workerd(), &folder, &bundle, &native, &upstream.address)?;
    let mut pass = pass_through(&tools.workerd(), &folder, &upstream.address)?;
    let enough = if options.quick { ANSWERS_QUICK } else { ANSWERS };
    for side in [&mut ours, &mut pass] {
        check(&side.ask)?;
        wrk::run(&side.ask, CONNECTIONS, TURN, &folder)?;
    }
    while ours.answers < enough || pass.answers < enough {
        for side in [&mut ours, &mut pass].into_iter().filter(|side| side.answers < enough) {
            turn(side, &folder)?;
        }
    }
    report(&bundle, &ours, &pass)
}

fn report(bundle: &Path, ours: &Side, pass: &Side) -> Result<(Value, Vec<Bound>)> {
    let wasm = bundle.join("index_bg.wasm");
    let (raw, gzipped) = (size::plain(&wasm)?, size::gzipped(&wasm)?);
    let cpu = |side: &Side| us(side.spent) / side.answers;
    let p50 = |side: &Side| super::sample::median(side.p50.clone());
    let figures = json!({
        "wasm_bytes": raw,
        "wasm_gzipped_bytes": gzipped,
        "start_ms": ms(ours.workerd.started),
        "pass_through_start_ms": ms(pass.workerd.started),
        "cpu_us_per_answer": cpu(ours),
        "pass_through_cpu_us_per_answer": cpu(pass),
        "cpu_ratio": cpu(ours) / cpu(pass),
        "p50_us_over_4_connections": p50(ours),
        "pass_through_p50_us_over_4_connections": p50(pass),
        "cpu_us_per_answer_first_turn": ours.cpu.first(),
        "cpu_us_per_answer_last_turn": ours.cpu.last(),
        "cpu_us_per_answer_turns": ours.cpu,
        "answers": ours.answers,
        "pass_through_answers": pass.answers,
        "peak_memory_bytes": ours.workerd.running.peak_memory(),
        "pass_through_peak_memory_bytes": pass.workerd.running.peak_memory(),
    });
    let kilo = |bytes: u64| bytes as f64 / 1e3;
    let bound = Bound::at_most("Worker, gzipped wasm", kilo(size::WASM_BOUND), "kB", Some(kilo(gzipped)));
    Ok((figures, vec![bound]))
}

fn turn(side: &mut Side, folder: &Path) -> Result<()> {
    let before = side.workerd.running.processor_time();
    let load = wrk::run(&side.ask, CONNECTIONS, TURN, folder)?;
    let spent = side.workerd.running.processor_time().saturating_sub(before);
    side.spent += spent;
    side.cpu.push(us(spent) / load.requests);
    side.answers += load.requests;
    side.p50.push(load.p50);
    Ok(())
}

fn check(ask: &Ask) -> Result<()> {
    let answer = Connection::to(&ask.address)?.ask(ask, |_| false)?;
    if answer.body.contains(&question::text()) {
        return Ok(());
    }
    failed(format!("the Worker's answer is not the upstream's: {:.200}", answer.body))
}

fn ours(workerd: &Path, folder: &Path, bundle: &Path, native: &Path, upstream: &str) -> Result<Side> {
    let kind = Kind::Whole;
    let (key, row) = native_host::mint(native)?;
    let target = native_host::Target::openai(kind.name(), format!("http://{upstream}/{}/v1", kind.name()));
    let vars = vec![
        ("OPENCODE_CONFIG", native_host::config(&[target], "", &row)),
        ("OPENCODE_SECRET", native_host::SECRET.to_owned()),
    ];
    let service = Service { bundle, entry: "index.js", vars, stores: true, up: "/health" };
    let workerd = workerd::start(workerd, &folder.join("ours"), &service)?;
    let ask =
        Ask::new(&workerd.address, "/v1/chat/completions".into(), &format!("{}/{MODEL}", kind.name()), kind)
            .header("authorization", format!("Bearer {key}"));
    Ok(Side::new(workerd, ask))
}

fn pass_through(workerd: &Path, folder: &Path, upstream: &str) -> Result<Side> {
    let kind = Kind::Whole;
    let bundle = empty(&folder.join("pass-through-bundle"))?;
    std::fs::write(bundle.join("index.js"), PASS_THROUGH).doing("write the pass-through Worker")?;
    let vars = vec![("UPSTREAM", format!("http://{upstream}"))];
    let service = Service { bundle: &bundle, entry: "index.js", vars, stores: false, up: nginx::UP };
    let workerd = workerd::start(workerd, &folder.join("pass-through"), &service)?;
    let ask = Ask::new(&workerd.address, format!("/{}/v1/chat/completions", kind.name()), MODEL, kind);
    Ok(Side::new(workerd, ask))
}

impl Side {
    fn new(workerd: Workerd, ask: Ask) -> Self {
        Self { workerd, ask, answers: 0.0, spent: Duration::ZERO, p50: Vec::new(), cpu: Vec::new() }
    }
}
