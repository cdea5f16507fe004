//! Which rows of the CSV become rows of the catalogue.

use std::collections::BTreeMap;

use super::csv::{self, Row};
use super::entry::Entry;
use super::{Kept, LeftOut};
use crate::failure::Result;

/// What the catalogue calls the CSV's providers: those with an API that the core's dialects reach. Perplexity is
/// not among them because its answers cost a fee besides their tokens.
const PROVIDERS: [(&str, &str); 9] = [
    ("anthropic", "anthropic"),
    ("cerebras", "cerebras"),
    ("cohere_chat", "cohere"),
    ("deepseek", "deepseek"),
    ("gemini", "gemini"),
    ("groq", "groq"),
    ("mistral", "mistral"),
    ("openai", "openai"),
    ("xai", "xai"),
];

/// Parts of names that mark models of which a row would say too little, or nothing new.
const MARKS: [(&str, &str); 16] = [
    ("ft:", "a fine-tuned model's name goes on"),
    ("audio", "made for audio, which has prices of its own"),
    ("omni", "made for audio, which has prices of its own"),
    ("tts", "made for audio, which has prices of its own"),
    ("voxtral", "made for audio, which has prices of its own"),
    ("lyria", "makes music"),
    ("search", "its searches have a price of their own"),
    ("guard", "sorts messages and answers none"),
    ("streaming", "not reached over HTTP"),
    ("beta", "a variant of a model that is listed"),
    ("customtools", "a variant of a model that is listed"),
    ("experimental", "a variant of a model that is listed"),
    ("gv2", "a variant of a model that is listed"),
    ("vision-exp", "a variant of a model that is listed"),
    ("mistral-code-", "an application's name for a model that is listed"),
    ("vibe-cli", "an application's name for a model that is listed"),
];

/// The row's entry, or why it has none.
type Verdict = std::result::Result<Entry, String>;
/// By provider and model.
type Verdicts = BTreeMap<(String, String), Verdict>;

const OFF: &str = "switched off";

/// Sorts the CSV's chat models into those to keep and those to leave out on `date`.
pub fn select(csv: &str, date: &str) -> Result<(Kept, LeftOut)> {
    let verdicts = judged(&csv::rows(csv)?, date);
    let mut kept = Kept::new();
    let mut left_out = LeftOut::new();
    for ((provider, model), verdict) in &verdicts {
        let why = match verdict {
            Err(why) => why,
            Ok(entry) if is_undated_one(provider, model, entry, &verdicts) => "found under its undated name",
            Ok(_) if is_off_elsewhere(provider, model, &verdicts) => "another name for what is switched off",
            Ok(entry) => {
                kept.insert((provider.clone(), model.clone()), entry.clone());
                continue;
            }
        };
        left_out.entry(why.to_owned()).or_default().push(format!("{provider}/{model}"));
    }
    Ok((kept, left_out))
}

fn judged(rows: &[Row<'_>], date: &str) -> Verdicts {
    let mut verdicts = Verdicts::new();
    for row in rows.iter().filter(|row| matches!(row.cell("mode"), "chat" | "responses")) {
        let (provider, verdict) = judge(row, date);
        let key = (provider.to_owned(), row.cell("model").to_owned());
        let verdict = match verdicts.remove(&key) {
            Some(earlier) if earlier != verdict => Err("listed twice with different figures".into()),
            _ => verdict,
        };
        verdicts.insert(key, verdict);
    }
    verdicts
}

fn judge<'a>(row: &Row<'a>, date: &str) -> (&'a str, Verdict) {
    let named = row.cell("provider");
    let Some((_, provider)) = PROVIDERS.iter().find(|(theirs, _)| *theirs == named) else {
        return (named, Err("a provider that is not covered".into()));
    };
    let (model, end) = (row.cell("model"), row.cell("deprecation_date"));
    // Dates sort as their text does.
    if !end.is_empty() && end <= date {
        return (provider, Err(OFF.into()));
    }
    let verdict = match MARKS.iter().find(|(mark, _)| model.contains(mark)) {
        Some((_, why)) => Err((*why).to_owned()),
        None => Entry::read(provider, model, |column| row.cell(column)),
    };
    (provider, verdict)
}

/// Whether the core finds the same entry under the name without its date or `-latest`.
fn is_undated_one(provider: &str, model: &str, entry: &Entry, verdicts: &Verdicts) -> bool {
    let undated = undated(model).and_then(|name| verdicts.get(&(provider.to_owned(), name.to_owned())));
    matches!(undated, Some(Ok(other)) if other == entry)
}

/// Whether a name without an end date stands for models that all have ended: it is spelt as one of them but for
/// dashes and dots, or they are its numbered versions.
fn is_off_elsewhere(provider: &str, model: &str, verdicts: &Verdicts) -> bool {
    let squeezed = |name: &str| name.replace(['-', '.'], "");
    let is_version = |name: &str| {
        let rest = name.strip_prefix(model).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let of_provider = || verdicts.iter().filter(|((whose, _), _)| whose == provider);
    let off = || of_provider().filter(|(_, verdict)| verdict.as_ref().is_err_and(|why| why == OFF));
    let has_live_version = of_provider().any(|((_, name), verdict)| verdict.is_ok() && is_version(name));
    off().any(|((_, name), _)| squeezed(name) == squeezed(model))
        || (off().any(|((_, name), _)| is_version(name)) && !has_live_version)
}

/// As the core looks names up.
fn undated(name: &str) -> Option<&str> {
    ["-latest", "-0000-00-00", "-00000000"].iter().find_map(|ending| {
        let (head, tail) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
        is_like(tail, ending).then_some(head)
    })
}

/// Whether a text has the form `YYYY-MM-DD`.
pub fn is_date(text: &str) -> bool {
    text.len() == 10 && is_like(text, "0000-00-00")
}

/// Whether texts of one length are the same but for digits where the second has 0.
fn is_like(text: &str, form: &str) -> bool {
    text.bytes().zip(form.bytes()).all(|(it, wanted)| it == wanted || (wanted == b'0' && it.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_reason() {
        let header = "provider,model,input_cost_per_token,output_cost_per_token,cache_read_input_token_cost,\
                      cache_creation_input_token_cost,input_cost_per_token_above_200k_tokens,\
                      output_cost_per_token_above_200k_tokens,output_cost_per_reasoning_token,max_input_tokens,\
                      max_output_tokens,mode,supports_function_calling,supports_vision,supports_response_schema,\
                      supports_reasoning,supports_assistant_prefill,deprecation_date";
        let rows = [
            ("openai", "now", "1e-06", ""),
            ("openai", "now-2026-01-02", "1e-06", ""),
            ("openai", "dear-2026-01-02", "2e-06", ""),
            ("openai", "dear", "1e-06", "2026-11-23"),
            ("openai", "gone", "1e-06", "2026-11-22"),
            ("openai", "g-one", "1e-06", ""),
            ("openai", "alias", "1e-06", ""),
            ("openai", "alias-2025-01-02", "1e-06", "2026-07-01"),
            ("openai", "twice", "1e-06", ""),
            ("openai", "twice", "2e-06", ""),
            ("openai", "gpt-audio", "1e-06", ""),
            ("cohere_chat", "command", "1e-06", ""),
            ("perplexity", "sonar", "1e-06", ""),
        ];
        let line = |(provider, model, price, end): (&str, &str, &str, &str)| {
            format!("\n{provider},{model},{price},3e-06,,,,,,10000,4000,chat,,,,,,{end}")
        };
        let csv: String = std::iter::once(header.to_owned()).chain(rows.map(line)).collect();
        let (kept, left_out) = select(&csv, "2026-11-22").expect("it is well-formed");
        let kept: Vec<String> = kept.keys().map(|(provider, model)| format!("{provider}/{model}")).collect();
        assert_eq!(kept, ["cohere/command", "openai/dear", "openai/dear-2026-01-02", "openai/now"]);
        let left_out: Vec<String> =
            left_out.iter().map(|(why, names)| format!("{why}: {}", names.join(" "))).collect();
        assert_eq!(
            left_out,
            [
                "a provider that is not covered: perplexity/sonar",
                "another name for what is switched off: openai/alias openai/g-one",
                "found under its undated name: openai/now-2026-01-02",
                "listed twice with different figures: openai/twice",
                "made for audio, which has prices of its own: openai/gpt-audio",
                "switched off: openai/alias-2025-01-02 openai/gone",
            ]
        );
        assert!(select(&csv.replace("mode,", "modes,"), "2026-11-22").is_err());
        assert!(select(&format!("{csv}\nopenai,\"a,b\""), "2026-11-22").is_err());
    }
}
