//! The catalogue's rows, read once.

use std::sync::LazyLock;

use super::{Abilities, Long, Model, Prices};
use crate::wire::json::number;

/// Sorted by provider, then model. The header says what a row's columns are.
const TEXT: &str = include_str!("../../catalog.toml");

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| rows(TEXT));

struct Row {
    provider: &'static str,
    name: &'static str,
    model: Model,
}

/// The model of exactly this name.
pub(super) fn find(provider: &str, name: &str) -> Option<Model> {
    let at = ROWS.binary_search_by(|row| (row.provider, row.name).cmp(&(provider, name))).ok()?;
    ROWS.get(at).map(|row| row.model)
}

/// The name without its date or `-latest`; `None` where it has neither.
pub(super) fn undated(name: &str) -> Option<&str> {
    ["-latest", "-0000-00-00", "-00000000"].iter().find_map(|ending| {
        let (head, tail) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
        let same = |(it, wanted): (u8, u8)| it == wanted || (wanted == b'0' && it.is_ascii_digit());
        tail.bytes().zip(ending.bytes()).all(same).then_some(head)
    })
}

/// Every provider, as often as it has rows.
#[cfg(test)]
pub(super) fn providers() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.provider)
}

/// The text is TOML, but of so few forms that a parser for all of TOML would be waste at the start of a Worker.
fn rows(text: &'static str) -> Vec<Row> {
    let mut provider = "";
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            provider = name;
        } else if let Some((name, facts)) = line.split_once(" = ") {
            let name = name.trim_matches('"');
            rows.extend(read(facts.trim_matches('"')).map(|model| Row { provider, name, model }));
        }
    }
    rows
}

fn read(facts: &str) -> Option<Model> {
    let mut columns = facts.split(' ');
    let mut next = || columns.next();
    let input = number(next()?)?;
    let output = number(next()?)?;
    let cached = or_input(next()?, input)?;
    let cache_write = or_input(next()?, input)?;
    let context = next()?.parse().ok()?;
    let max_output = next()?.parse().ok()?;
    let letters = next()?;
    let long = match next() {
        None => None,
        Some(above) => {
            Some(Long { above: above.parse().ok()?, input: number(next()?)?, output: number(next()?)? })
        }
    };
    let prices = Prices { input, output, cached, cache_write, long };
    Some(Model { prices, context, max_output, abilities: abilities(letters) })
}

fn or_input(column: &str, input: f64) -> Option<f64> {
    if column == "-" { Some(input) } else { number(column) }
}

fn abilities(letters: &str) -> Abilities {
    let said = |letter: char| match letters.contains(letter) {
        true => Some(true),
        false => letters.contains(letter.to_ascii_uppercase()).then_some(false),
    };
    Abilities {
        tools: said('t'),
        vision: said('v'),
        schema: said('s'),
        reasoning: letters.contains('r'),
        prefill: letters.contains('p'),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_file_is_toml_and_each_of_its_rows_is_read() {
        let toml: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(TEXT).unwrap();
        let listed: Vec<(&str, &str)> = toml
            .iter()
            .flat_map(|(provider, models)| models.keys().map(move |name| (provider.as_str(), name.as_str())))
            .collect();
        let read: Vec<(&str, &str)> = ROWS.iter().map(|row| (row.provider, row.name)).collect();
        assert_eq!(read, listed, "in this order");
    }

    #[test]
    fn the_file_is_small_enough_for_the_worker() {
        assert!(ROWS.len() <= 150, "{} rows", ROWS.len());
        assert!(TEXT.len() <= 16_000, "{} bytes", TEXT.len());
    }

    #[test]
    fn each_row_makes_sense() {
        for Row { provider, name, model } in ROWS.iter() {
            let Model { prices, context, max_output, .. } = *model;
            let check = |holds: bool, what: &str| assert!(holds, "{provider}/{name}: {what}");
            check((0.01..=100.0).contains(&prices.input), "the price of input");
            check((prices.input..=500.0).contains(&prices.output), "the price of output");
            check(prices.output <= 15.0 * prices.input, "output against input");
            check((0.01 * prices.input..=prices.input).contains(&prices.cached), "cached input");
            check((prices.input..=2.0 * prices.input).contains(&prices.cache_write), "cache writes");
            check((4_000..=4_000_000).contains(&context), "the context window");
            check((1_000..=context).contains(&max_output), "the longest output");
            if let Some(long) = prices.long {
                check((100_000..context).contains(&long.above), "the bound of a long request");
                check(long.input > prices.input && long.output > prices.output, "a long request's prices");
            }
        }
    }

    #[test]
    fn columns_are_read_in_their_order() {
        let check = |facts: &str, wanted: Option<Model>| assert_eq!(read(facts), wanted, "{facts}");
        let abilities = Abilities { tools: Some(true), reasoning: true, ..Abilities::default() };
        let prices = Prices { cached: 0.25, cache_write: 3.0, ..Prices::flat(2.5, 15.0) };
        let model = Model { prices, context: 400_000, max_output: 128_000, abilities };
        check("2.5 15 0.25 3 400000 128000 tr", Some(model));
        let long = Some(Long { above: 272_000, input: 5.0, output: 22.5 });
        let prices = Prices { long, ..Prices::flat(2.5, 15.0) };
        check("2.5 15 - - 400000 128000 tr 272000 5 22.5", Some(Model { prices, ..model }));
        let without = Abilities { vision: Some(false), ..abilities };
        check(
            "2.5 15 - - 400000 128000 tVr",
            Some(Model { abilities: without, prices: Prices::flat(2.5, 15.0), ..model }),
        );
        check("2.5 15 - - 400000 128000", None);
        check("2.5 15 - - 400000 128000 tr 272000", None);
    }
}
