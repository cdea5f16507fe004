//! What schemathesis found, by operation.

use serde_json::Value;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A run's JSON report, and what it printed.
pub struct Report {
    json: Value,
    said: String,
}

/// `METHOD /path` of every operation of the document that is planned, or that is not.
pub fn operations(document: &Value, planned: bool) -> Vec<String> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if METHODS.contains(&method.as_str()) && (operation["x-status"] == "planned") == planned {
                operations.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    operations
}

impl Report {
    /// Reads the report.
    pub fn read(json: &str, said: String) -> Result<Self, String> {
        let json = serde_json::from_str(json).map_err(|error| format!("schemathesis's report: {error}"))?;
        Ok(Self { json, said })
    }

    /// Whether so many operations were tested, to the end and without an error of the tool.
    pub fn whole(&self, operations: usize) -> Result<(), String> {
        let errors = self.json["errors"].as_array().is_some_and(Vec::is_empty);
        let complete = self.json["complete"] == true;
        if complete && errors && self.json["operations"]["tested"] == operations {
            return Ok(());
        }
        let (counts, errors) = (&self.json["operations"], &self.json["errors"]);
        Err(format!(
            "of {operations} operations: {counts}, stopped by {}, errors {errors}",
            self.json["stop_reason"]
        ))
    }

    /// Whether nothing was found about an operation.
    pub fn of(&self, operation: &str) -> Result<(), String> {
        let failures = self.json["failures"].as_array().into_iter().flatten();
        let mine = failures.filter(|failure| {
            failure["operations"].as_array().is_some_and(|list| list.iter().any(|name| name == operation))
        });
        let titles: Vec<&str> = mine.filter_map(|failure| failure["title"].as_str()).collect();
        if titles.is_empty() {
            return Ok(());
        }
        Err(format!("{}\n{}", titles.join("; "), self.section(operation)))
    }

    /// The part of the output under the heading `____ METHOD /path ____`.
    fn section(&self, operation: &str) -> String {
        let heading = |line: &&str| line.trim_matches('_') == format!(" {operation} ");
        let lines = self.said.lines().skip_while(|line| !heading(line)).skip(1);
        lines
            .take_while(|line| !line.starts_with("___") && !line.starts_with("==="))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_are_told_apart() {
        let document = json!({ "paths": { "/a": { "get": {}, "parameters": [] }, "/b": { "post": { "x-status": "planned" } } } });
        assert_eq!(operations(&document, false), ["GET /a"]);
        assert_eq!(operations(&document, true), ["POST /b"]);
    }

    #[test]
    fn a_failure_is_its_operations_own() {
        let json = json!({
            "complete": true, "errors": [], "operations": { "tested": 2 },
            "failures": [{ "title": "Response violates schema", "operations": ["GET /a"] }],
        });
        let said = "____ GET /a ____\nwhy\n____ GET /b ____\nnot this\n".to_owned();
        let report = Report::read(&json.to_string(), said).unwrap();
        assert!(report.whole(2).is_ok() && report.whole(3).is_err());
        assert_eq!(report.of("GET /a").unwrap_err(), "Response violates schema\nwhy");
        assert!(report.of("GET /b").is_ok());
    }
}
