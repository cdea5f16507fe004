//! Requests: a caller's, and the one that goes upstream, streamed and not.

use std::path::Path;

use libtest_mimic::Failed;
use opencode_core::call::Shape;
use opencode_core::route::Target;
use opencode_core::wire::json::Members;
use opencode_core::wire::openai;
use opencode_core::wire::prompt::Prompt;

use super::expect;

/// Checks one case.
pub fn check(case: &Path) -> Result<(), Failed> {
    let caller = std::fs::read(case.join("caller.json"))?;
    let target = Target {
        name: "wall/m".to_owned(),
        provider: "provider".to_owned(),
        model: "their-model".to_owned(),
        base_url: "https://provider.example/v1".to_owned(),
        secret: None,
        micros_in: 0.0,
        micros_out: 0.0,
    };
    let prompt = Prompt::OpenAi(Members::parse(&caller)?);
    for (shape, file) in [(Shape::Stream, "upstream.stream.txt"), (Shape::Whole, "upstream.whole.txt")] {
        let request = openai::request(&target, &prompt, shape, Some("key"))?;
        let mut text = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            let shown = if value.is_sensitive() { "(sensitive)" } else { value.to_str()? };
            text.push_str(&format!("{name}: {shown}\n"));
        }
        text.push_str(&format!("\n{}\n", String::from_utf8_lossy(request.body())));
        expect(case, file, &text)?;
    }
    Ok(())
}
