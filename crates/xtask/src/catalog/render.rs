//! The catalogue's text.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::Kept;
use super::entry::Entry;

/// Change it with the CSV.
const SOURCE: &str = "litellm 1.109.1 (MIT), its price list, November 2026";

/// The file, for what was kept of a CSV on a date.
pub fn render(kept: &Kept, csv: &[u8], date: &str) -> String {
    let mut text = format!(
        "# Models, their list prices and limits. Source: {SOURCE};\n\
         # models that the source switches off by {date} are left out.\n\
         # Written by `cargo xtask catalog CSV {date}`; the CSV's SHA-256 begins with {}.\n\
         #\n\
         # Columns: dollars a million tokens of input, output, cached input and cache writes (5 minutes); the most\n\
         # tokens of input and of output; abilities; for some, the prices of long requests: above so many tokens\n\
         # of input, input costs, output costs. A price that is `-` is the one of input.\n\
         # Abilities: t tools, v vision, s JSON schema, r reasoning, p prefilled answers, - none of them; a capital: it says no.\n",
        hex(csv)
    );
    let mut last = "";
    for ((provider, model), entry) in kept {
        if provider != last {
            let _ = writeln!(text, "\n[{provider}]");
            last = provider;
        }
        let _ = writeln!(text, "\"{model}\" = \"{}\"", columns(entry));
    }
    text
}

fn columns(entry: &Entry) -> String {
    let or_dash = |price: Option<f64>| price.map_or_else(|| "-".to_owned(), |price| price.to_string());
    let abilities = if entry.abilities.is_empty() { "-" } else { &entry.abilities };
    let mut text = format!(
        "{} {} {} {} {} {} {abilities}",
        entry.input,
        entry.output,
        or_dash(entry.cached),
        or_dash(entry.cache_write),
        entry.context,
        entry.max_output,
    );
    if let Some(long) = entry.long {
        let _ = write!(text, " {} {} {}", long.above, long.input, long.output);
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
