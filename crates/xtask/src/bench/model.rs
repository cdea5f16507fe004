//! `cargo xtask bench model`: what the models that the platform serves itself cost on this machine, without the
//! platform in between.

mod served;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::bounds::Bound;
use super::overhead::{self, artefact, folder};
use super::running::Running;
use super::sample::{Sample, median, ms};
use super::{Options, contestant, machine, tables};
use crate::failure::{Failure, Result, failed};
use crate::{artefacts, process, workspace};
use served::Served;

/// A tier's name, and its file in the cache of models.
struct Tier {
    name: &'static str,
    file: &'static str,
}

const TIERS: [Tier; 2] = [
    Tier { name: "small", file: "SmolLM2-135M-Instruct.Q4_1.gguf" },
    Tier { name: "strong", file: "gemma-3-270m-q4_k_m.gguf" },
];

/// Tokens of an answer whose rate is measured.
const ANSWER: u64 = 128;
/// Tokens of a prompt whose first token is waited for: none of these was computed before.
const PROMPT: u64 = 200;
/// Tokens a second, of the small model.
const RATE: f64 = 25.0;
/// Seconds to the first token.
const FIRST_TOKEN: f64 = 1.0;
/// Resident memory, in bytes.
const MEMORY: f64 = 300e6;

/// How often each is measured.
struct Pace {
    answers: usize,
    loads: usize,
}

const FULL: Pace = Pace { answers: 7, loads: 5 };
const QUICK: Pace = Pace { answers: 2, loads: 1 };

/// What `--only` can name.
pub fn keys() -> Vec<&'static str> {
    TIERS.iter().map(|tier| tier.name).collect()
}

/// Measures the small model, and the strong one where it is in the cache or `--only` names it; prints a table and
/// writes the report. A bound that is missed is marked and is no failure of the run.
pub fn run(options: &Options) -> Result<()> {
    let pace = if options.quick { QUICK } else { FULL };
    let machine = machine::describe();
    let binary = artefact("OPENCODE_NATIVE_BIN", artefacts::native_release)?;
    let folder = contestant::empty(&folder().join("models"))?;
    let cache = workspace::tools()?.with_file_name("models");
    let mut figures = Vec::new();
    for tier in TIERS.iter().filter(|tier| options.wants(tier.name)) {
        let file = cache.join(tier.file);
        let named = options.only.iter().any(|name| name == tier.name);
        if !file.is_file() && !named && tier.name != TIERS[0].name {
            println!("the {} model is not in the cache: --only {} fetches it", tier.name, tier.name);
            continue;
        }
        if !file.is_file() {
            fetch(&binary, tier, &folder)?;
        }
        figures.push(measure(&binary, tier, &file, &folder, &pace)?);
    }
    table(&figures);
    let small = figures.iter().find(|figures| figures["tier"] == TIERS[0].name);
    let bounds = small.map(bounds).unwrap_or_default();
    tables::bounds(&bounds);
    let report = json!({
        "machine": machine,
        "settings": {
            "answers": pace.answers, "loads": pace.loads, "answer_tokens": ANSWER, "prompt_tokens": PROMPT,
            "quick": options.quick,
        },
        "models": figures,
        "bounds": bounds.iter().map(Bound::json).collect::<Value>(),
    });
    overhead::write(&report, "model.json")
}

/// Lets the platform fetch a model as its users do: by starting with it.
fn fetch(binary: &Path, tier: &Tier, folder: &Path) -> Result<()> {
    let mut command = process::program(binary);
    command.args(["--tier", tier.name, "--listen", "127.0.0.1:0", "--data"]).arg(folder.join("data"));
    let mut platform = Running::start(&mut command, &folder.join("fetch.log"))?;
    platform.prints(|text| text.contains("listens on").then(String::new)).map(drop)
}

fn measure(binary: &Path, tier: &Tier, file: &Path, folder: &Path, pace: &Pace) -> Result<Value> {
    let start = || Served::start(binary, tier.name, file, folder);
    let load = Sample::take(pace.loads, || start().map(|served| served.loaded))?;
    let served = start()?;
    let after_load = served.running.peak_memory();
    let rates = rates(&served, pace)?;
    let (prompt, first) = first_tokens(&served, pace)?;
    let lowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(json!({
        "tier": tier.name,
        "file": tier.file,
        "file_bytes": fs::metadata(file).map_or(0, |data| data.len()),
        "load_ms": ms(load.median()),
        "tokens_per_second": median(rates),
        "tokens_per_second_lowest": lowest,
        "prompt_tokens": prompt,
        "first_token_ms": ms(first.median()),
        "first_token_ms_longest": ms(first.at(100)),
        "memory_after_load_bytes": after_load,
        "memory_bytes": served.running.peak_memory(),
    }))
}

/// Tokens a second of whole answers, from the request to the answer's end: a prompt of a few words is part of it.
fn rates(served: &Served, pace: &Pace) -> Result<Vec<f64>> {
    let mut rates = Vec::new();
    for seed in 0..pace.answers {
        let question = format!("Tell me a long story about {}.", words(seed, 4));
        let (answer, took) = served.ask(&question, ANSWER, seed, false)?;
        let tokens = json_of(&answer.body)?["usage"]["completion_tokens"].as_u64().unwrap_or_default();
        // An answer that ends by itself after a few words measures its prompt.
        if tokens >= ANSWER / 2 {
            rates.push(tokens as f64 / took.as_secs_f64());
        }
    }
    if rates.len() * 2 < pace.answers {
        failed("most answers were too short to be measured")
    } else {
        Ok(rates)
    }
}

/// The prompt's length in tokens, and how long its first token takes. Each prompt begins differently, so that nothing
/// but what every prompt begins with was computed before.
fn first_tokens(served: &Served, pace: &Pace) -> Result<(u64, Sample)> {
    let mut count = usize::try_from(PROMPT).unwrap_or(0);
    let ask = |seed: usize, count: usize, most: u64, stream: bool| {
        served.ask(&words(seed, count), most, seed, stream).map(|(answer, _)| answer)
    };
    // How many words make the prompt long enough is found out first.
    let mut prompt = 0;
    for seed in 100..110 {
        let usage = json_of(&ask(seed, count, 1, false)?.body)?["usage"].take();
        prompt = usage["prompt_tokens"].as_u64().unwrap_or_default();
        let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or_default();
        let new = prompt.saturating_sub(cached);
        if (PROMPT..PROMPT + 10).contains(&new) {
            break;
        }
        count = (count + 204).saturating_sub(usize::try_from(new).unwrap_or(0)).max(1);
    }
    let mut seed = 200;
    let sample = Sample::take(pace.answers, || {
        seed += 1;
        let seen = ask(seed, count, 8, true)?.seen;
        seen.ok_or_else(|| Failure::Failed("a stream brought no token".into()))
    })?;
    Ok((prompt, sample))
}

/// Words that are a token each, in an order that the seed decides from the first one on.
fn words(seed: usize, count: usize) -> String {
    const WORDS: [&str; 16] = [
        "river", "stone", "green", "house", "seven", "light", "water", "music", "paper", "night", "horse",
        "table", "small", "round", "quick", "bread",
    ];
    let word =
        |place: usize| WORDS[(place * 7 + seed * (place % 5 + 3) + seed / 16 * (place % 3)) % WORDS.len()];
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

fn json_of(body: &str) -> Result<Value> {
    serde_json::from_str(body).map_err(|error| Failure::Failed(format!("not JSON ({error}): {body}")))
}

fn bounds(small: &Value) -> Vec<Bound> {
    let figure = |name: &str| small[name].as_f64();
    let first = figure("first_token_ms").map(|ms| ms / 1e3);
    let memory = figure("memory_bytes").map(|bytes| bytes / 1e6);
    vec![
        Bound::at_least("decoding, small model".to_owned(), RATE, "tokens/s", figure("tokens_per_second")),
        Bound::at_most(
            format!("first token after a prompt of {PROMPT} tokens, small model"),
            FIRST_TOKEN,
            "s",
            first,
        ),
        Bound::at_most("resident memory, small model", MEMORY / 1e6, "MB", memory),
    ]
}

fn table(models: &[Value]) {
    println!("\n**models**, each served directly; medians\n");
    println!(
        "| | tokens/s | lowest | prompt | first token ms | longest | load ms | resident MB, at most | file MB |"
    );
    println!("|---|{}", "--:|".repeat(8));
    for model in models {
        let figure = |name: &str| model[name].as_f64().unwrap_or_default();
        println!(
            "| {} | {:.1} | {:.1} | {} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} |",
            model["tier"].as_str().unwrap_or_default(),
            figure("tokens_per_second"),
            figure("tokens_per_second_lowest"),
            figure("prompt_tokens"),
            figure("first_token_ms"),
            figure("first_token_ms_longest"),
            figure("load_ms"),
            figure("memory_bytes") / 1e6,
            figure("file_bytes") / 1e6,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_begin_differently() {
        let mut first: Vec<String> = (201..215).map(|seed| words(seed, 6)).collect();
        first.sort();
        first.dedup();
        assert_eq!(first.len(), 14);
    }

    #[test]
    fn bounds_are_those_of_the_small_model() {
        let figures = json!({"tokens_per_second": 24.0, "first_token_ms": 900.0, "memory_bytes": 299e6});
        let met: Vec<_> = bounds(&figures).iter().map(Bound::is_met).collect();
        assert_eq!(met, [Some(false), Some(true), Some(true)]);
    }
}
