//! What only a model's name tells.

/// Whether it is one of OpenAI's reasoning models: the o-series, and GPT from 5 on. Their `max_tokens` is
/// `max_completion_tokens` (OpenAI, "Reasoning models"). An Azure deployment that has another name than its model cannot
/// be told.
pub fn is_openai_reasoning(model: &str) -> bool {
    o_series(model).is_some() || gpt(model).is_some_and(|(major, _)| major >= 5)
}

/// Whether it never thinks: OpenAI's other models, which refuse to be told how much to.
pub fn never_thinks(model: &str) -> bool {
    gpt(model).is_some_and(|(major, _)| major < 5)
}

/// Whether it always thinks: the o-series, and GPT-5 before 5.1 (OpenAI, "Reasoning models": `none` since GPT-5.1).
pub fn always_thinks(model: &str) -> bool {
    o_series(model).is_some() || gpt(model) == Some((5, 0))
}

/// Whether it wants its `reasoning_content` back, and refuses a conversation without it (DeepSeek, "Thinking mode";
/// Moonshot, "Thinking models"). Other servers refuse it, Groq among them.
pub fn wants_thinking_back(model: &str) -> bool {
    let model = bare(model);
    ["deepseek", "kimi"].iter().any(|maker| model.starts_with(maker)) && !model.contains("distill")
}

/// Whether it is Google's, behind its interface for this dialect.
pub fn is_gemini(model: &str) -> bool {
    bare(model).starts_with("gemini")
}

/// Routers put the maker before the name.
fn bare(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

/// `o3`, `o4-mini`: the number.
fn o_series(model: &str) -> Option<u32> {
    number(bare(model).strip_prefix('o')?).map(|(number, _)| number)
}

/// `gpt-5.1-mini`, `gpt-4o`: the version. `gpt-oss` has none.
fn gpt(model: &str) -> Option<(u32, u32)> {
    let (major, rest) = number(bare(model).strip_prefix("gpt-")?)?;
    let minor = rest.strip_prefix('.').and_then(number).map_or(0, |(minor, _)| minor);
    Some((major, minor))
}

fn number(text: &str) -> Option<(u32, &str)> {
    let rest = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    Some((text.strip_suffix(rest)?.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell() {
        let told = |model: &str| {
            let told = [
                is_openai_reasoning(model),
                never_thinks(model),
                always_thinks(model),
                wants_thinking_back(model),
                is_gemini(model),
            ];
            told.map(|yes| if yes { 'x' } else { '.' }).iter().collect::<String>()
        };
        for (model, expected) in [
            ("o1", "x.x.."),
            ("o4-mini-2025-04-16", "x.x.."),
            ("openai/o3", "x.x.."),
            ("gpt-5", "x.x.."),
            ("gpt-5-mini-2025-08-07", "x.x.."),
            ("gpt-5.1", "x...."),
            ("openai/gpt-5.2-codex", "x...."),
            ("gpt-6", "x...."),
            ("gpt-4o", ".x..."),
            ("gpt-4.1-nano", ".x..."),
            ("gpt-3.5-turbo", ".x..."),
            ("gpt-oss-120b", "....."),
            ("olmo-2", "....."),
            ("llama3", "....."),
            ("deepseek-reasoner", "...x."),
            ("moonshotai/kimi-k2-thinking", "...x."),
            ("deepseek-r1-distill-llama-70b", "....."),
            ("google/gemini-3-pro", "....x"),
            ("", "....."),
        ] {
            assert_eq!(told(model), expected, "{model}");
        }
    }
}
