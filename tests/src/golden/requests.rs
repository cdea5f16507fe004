//! Requests: a caller's, and the one that goes upstream, streamed and not, in each dialect.

use std::path::Path;

use libtest_mimic::Failed;
use opencode_core::call::Shape;
use opencode_core::catalog::{Abilities, Prices};
use opencode_core::route::Target;
use opencode_core::wire::Dialect;
use opencode_core::wire::json::Members;
use opencode_core::wire::prompt::Prompt;
use opencode_core::wire::request::request;

use super::{DIALECTS, expect};

/// Checks one case.
pub fn check(dialect: Dialect, case: &Path) -> Result<(), Failed> {
    let caller = std::fs::read(case.join("caller.json"))?;
    let prompt = Prompt::Own(dialect, Members::parse(&caller)?);
    for (name, spoken) in DIALECTS {
        let target = Target {
            name: "provider/their-model".to_owned(),
            provider: "provider".to_owned(),
            model: "their-model".to_owned(),
            base_url: "https://provider.example/v1".to_owned(),
            dialect: spoken,
            context: 0,
            abilities: Abilities::default(),
            prefill: false,
            secret: None,
            prices: Prices::flat(0.0, 0.0),
        };
        for (shape, kind) in [(Shape::Stream, "stream"), (Shape::Whole, "whole")] {
            let text = match request(&target, &prompt, shape, Some("key")) {
                Ok(request) => {
                    let mut text = format!("{} {}\n", request.method(), request.uri());
                    for (name, value) in request.headers() {
                        let shown = if value.is_sensitive() { "(sensitive)" } else { value.to_str()? };
                        text.push_str(&format!("{name}: {shown}\n"));
                    }
                    text + &format!("\n{}\n", String::from_utf8_lossy(request.body()))
                }
                Err(error) => {
                    format!("{} at {}\n{}\n", error.status(), error.param.unwrap_or_default(), error.detail)
                }
            };
            let file = if spoken == dialect {
                format!("upstream.{kind}.txt")
            } else {
                format!("upstream.{name}.{kind}.txt")
            };
            expect(case, &file, &text)?;
        }
    }
    Ok(())
}
