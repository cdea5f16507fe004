//! The price list as rows.

use std::collections::BTreeMap;

use crate::failure::{Result, failed};

/// A row's cells by their columns' names.
pub struct Row<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Row<'a> {
    /// Empty where the row has nothing.
    pub fn cell(&self, column: &str) -> &'a str {
        self.0.get(column).copied().unwrap_or_default()
    }
}

/// The columns that the catalogue needs; there may be more.
const COLUMNS: [&str; 18] = [
    "provider",
    "model",
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "input_cost_per_token_above_200k_tokens",
    "output_cost_per_token_above_200k_tokens",
    "output_cost_per_reasoning_token",
    "max_input_tokens",
    "max_output_tokens",
    "mode",
    "supports_function_calling",
    "supports_vision",
    "supports_response_schema",
    "supports_reasoning",
    "supports_assistant_prefill",
    "deprecation_date",
];

/// The rows below the header. Quoted cells would be misread, so they are refused.
pub fn rows(csv: &str) -> Result<Vec<Row<'_>>> {
    let mut lines = csv.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    if let Some(missing) = COLUMNS.iter().find(|name| !columns.contains(name)) {
        return failed(format!("the CSV has no column {missing}"));
    }
    let row = |line| {
        let cells: Vec<&str> = str::split(line, ',').collect();
        if cells.len() != columns.len() || line.contains('"') {
            return failed(format!("the CSV has a line that is not {} plain cells: {line}", columns.len()));
        }
        Ok(Row(columns.iter().copied().zip(cells).collect()))
    };
    lines.map(row).collect()
}
