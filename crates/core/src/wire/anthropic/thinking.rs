//! How much to think, in this dialect: a budget for older models, an effort for newer ones, and room for both within
//! `max_tokens`.

use serde_json::{Value, json};

use super::model::{Abilities, Effort, Thinks};
use crate::wire::conversation::{Cannot, Reasoning};

/// `max_tokens` for an answer without thinking, where the caller names no bound.
const ANSWER: u64 = 4096;
/// The smallest `budget_tokens` (Anthropic's documentation of extended thinking).
const LEAST_BUDGET: u64 = 1024;

/// The members that a wish becomes.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) thinking: Option<Value>,
    pub(super) effort: Option<&'static str>,
    pub(super) max_tokens: u64,
}

impl Plan {
    /// Whether thinking is asked for.
    pub(super) fn thinks(&self) -> bool {
        self.kind().is_some_and(|kind| kind != "disabled")
    }

    /// Whether thinking has a budget: such a request has rules of its own.
    pub(super) fn has_budget(&self) -> bool {
        self.kind() == Some("enabled")
    }

    fn kind(&self) -> Option<&str> {
        self.thinking.as_ref()?.get("type")?.as_str()
    }
}

/// `forced`: a tool must be called, which cannot be asked for together with thinking; an effort can.
pub(super) fn plan(
    reasoning: Option<&Reasoning>,
    bound: Option<u64>,
    forced: bool,
    abilities: Abilities,
) -> Result<Plan, Cannot> {
    // What thinks without being asked needs the room too, at the effort that is its default.
    let room = match abilities.thinks {
        Thinks::Adaptive | Thinks::Always => budget_of("high"),
        Thinks::Never | Thinks::Budget | Thinks::Either => 0,
    };
    let Some(wish) = reasoning else { return Ok(silent(None, bound, room)) };
    let effort = wish.effort.as_deref();
    if effort == Some("none") || wish.budget == Some(0) {
        return match abilities.thinks {
            Thinks::Always => Err(Cannot::Reasoning),
            Thinks::Never => Ok(silent(None, bound, 0)),
            Thinks::Budget | Thinks::Either | Thinks::Adaptive => {
                Ok(silent(Some(json!({"type": "disabled"})), bound, 0))
            }
        };
    }
    let level = effort.map(|effort| level(effort, abilities.effort)).transpose()?.flatten();
    if forced {
        return match (level, effort.or(wish.budget.map(|_| "budget"))) {
            (Some(_), _) | (None, None) => Ok(Plan { effort: level, ..silent(None, bound, room) }),
            (None, Some(_)) => Err(Cannot::Reasoning),
        };
    }
    let mut plan = match (abilities.thinks, wish.budget, effort) {
        (Thinks::Never, None, None) => Ok(silent(None, bound, 0)),
        (Thinks::Never, _, _) => Err(Cannot::Reasoning),
        (Thinks::Budget | Thinks::Either, Some(budget), _) => with_budget(budget, bound, u64::MAX),
        (Thinks::Budget, None, Some(effort)) => with_budget(budget_of(effort), bound, 2),
        (Thinks::Budget, None, None) => Ok(silent(None, bound, 0)),
        (Thinks::Adaptive | Thinks::Always, Some(_), None) => Err(Cannot::Reasoning),
        (Thinks::Either | Thinks::Adaptive | Thinks::Always, _, _) => {
            let room = budget_of(effort.unwrap_or("high"));
            Ok(silent(Some(json!({"type": "adaptive"})), bound, room))
        }
    }?;
    plan.effort = level;
    show(&mut plan, wish.visible);
    Ok(plan)
}

fn silent(thinking: Option<Value>, bound: Option<u64>, room: u64) -> Plan {
    Plan { thinking, effort: None, max_tokens: bound.unwrap_or(ANSWER.saturating_add(room)) }
}

/// A budget must leave a part of the caller's bound to the answer: one token at least, a `share` of it at most.
fn with_budget(budget: u64, bound: Option<u64>, share: u64) -> Result<Plan, Cannot> {
    let most = bound.map_or(u64::MAX, |bound| {
        let answer = bound.checked_div(share).unwrap_or(0).max(1);
        bound.saturating_sub(answer).max(LEAST_BUDGET.min(bound.saturating_sub(1)))
    });
    let budget = budget.min(most);
    if budget < LEAST_BUDGET {
        return Err(Cannot::Reasoning);
    }
    Ok(silent(Some(json!({"type": "enabled", "budget_tokens": budget})), bound, budget))
}

/// New models keep their thinking to themselves where nobody asks for it, older ones show it.
fn show(plan: &mut Plan, visible: Option<bool>) {
    let display = match visible {
        Some(true) if !plan.has_budget() => "summarized",
        Some(false) => "omitted",
        Some(true) | None => return,
    };
    if let Some(thinking) = plan.thinking.as_mut().and_then(Value::as_object_mut) {
        thinking.insert("display".to_owned(), json!(display));
    }
}

/// The highest level that the model takes and that is not above the wish; `minimal`, which none has, is `low`.
fn level(effort: &str, levels: Effort) -> Result<Option<&'static str>, Cannot> {
    let level = match (effort, levels) {
        ("minimal" | "low", _) => "low",
        ("medium", _) => "medium",
        ("xhigh", Effort::Xhigh) => "xhigh",
        ("max", Effort::Xhigh | Effort::Max) => "max",
        ("high" | "xhigh" | "max", _) => "high",
        _ => return Err(Cannot::Reasoning),
    };
    Ok(Some(level).filter(|_| levels != Effort::None))
}

/// Tokens for an effort: Google's table for its OpenAI interface, which is the only published one; above it, 32,000,
/// beyond which Anthropic advises batches.
fn budget_of(effort: &str) -> u64 {
    match effort {
        "minimal" | "low" => LEAST_BUDGET,
        "medium" => 8_192,
        "high" => 24_576,
        _ => 32_000,
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::abilities;
    use super::*;

    fn check(
        model: &str,
        wish: Option<(Option<&str>, Option<u64>, Option<bool>)>,
        bound: Option<u64>,
        forced: bool,
    ) -> String {
        let wish = wish.map(|(effort, budget, visible)| Reasoning {
            effort: effort.map(str::to_owned),
            budget,
            visible,
        });
        match plan(wish.as_ref(), bound, forced, abilities(model)) {
            Ok(Plan { thinking, effort, max_tokens }) => {
                let thinking = thinking.map_or_else(String::new, |thinking| thinking.to_string());
                format!("{thinking} {} {max_tokens}", effort.unwrap_or("-"))
            }
            Err(cannot) => format!("{cannot:?}"),
        }
    }

    #[test]
    fn wishes_become_what_the_model_takes() {
        let effort = |effort| Some((Some(effort), None, None));
        let budget = |budget| Some((None, Some(budget), None));
        let on = |budget: u64| format!(r#"{{"budget_tokens":{budget},"type":"enabled"}}"#);
        let (off, adaptive) = (r#"{"type":"disabled"}"#, r#"{"type":"adaptive"}"#);

        assert_eq!(check("claude-haiku-4-5", None, None, false), " - 4096");
        assert_eq!(check("claude-opus-4-8", None, None, false), " - 28672");
        assert_eq!(check("claude-opus-4-8", None, Some(10), false), " - 10");

        assert_eq!(check("claude-haiku-4-5", effort("medium"), None, false), format!("{} - 12288", on(8192)));
        assert_eq!(
            check("claude-haiku-4-5", effort("high"), Some(6000), false),
            format!("{} - 6000", on(3000))
        );
        assert_eq!(
            check("claude-haiku-4-5", effort("low"), Some(1500), false),
            format!("{} - 1500", on(1024))
        );
        assert_eq!(check("claude-haiku-4-5", effort("low"), Some(1024), false), "Reasoning");
        assert_eq!(check("claude-opus-4-5", effort("max"), None, false), format!("{} high 36096", on(32000)));
        assert_eq!(check("claude-opus-4-6", effort("xhigh"), None, false), format!("{adaptive} high 36096"));
        assert_eq!(check("claude-opus-4-6", effort("max"), Some(9), false), format!("{adaptive} max 9"));
        assert_eq!(check("claude-sonnet-5", effort("xhigh"), Some(9), false), format!("{adaptive} xhigh 9"));
        assert_eq!(check("claude-fable-5", effort("minimal"), None, false), format!("{adaptive} low 5120"));
        assert_eq!(check("other", effort("low"), None, false), format!("{} - 5120", on(1024)));
        assert_eq!(check("other", effort("much"), None, false), "Reasoning");
        assert_eq!(check("claude-3-5-haiku", effort("low"), None, false), "Reasoning");

        assert_eq!(check("claude-sonnet-4-6", budget(2000), None, false), format!("{} - 6096", on(2000)));
        assert_eq!(
            check("claude-sonnet-4-6", budget(2000), Some(1500), false),
            format!("{} - 1500", on(1499))
        );
        assert_eq!(check("claude-sonnet-4-6", budget(100), None, false), "Reasoning");
        assert_eq!(check("claude-opus-4-7", budget(2000), None, false), "Reasoning");

        assert_eq!(check("claude-sonnet-5", effort("none"), None, false), format!("{off} - 4096"));
        assert_eq!(check("claude-sonnet-5", budget(0), None, false), format!("{off} - 4096"));
        assert_eq!(check("claude-3-5-haiku", effort("none"), None, false), " - 4096");
        assert_eq!(check("claude-mythos-5", effort("none"), None, false), "Reasoning");

        assert_eq!(check("claude-opus-4-6", effort("low"), Some(9), true), " low 9");
        assert_eq!(check("claude-haiku-4-5", effort("low"), Some(9999), true), "Reasoning");
        assert_eq!(check("claude-sonnet-4-6", budget(2000), None, true), "Reasoning");

        let visible = |visible| Some((None, None, Some(visible)));
        assert_eq!(
            check("claude-opus-5", visible(true), Some(9), false),
            r#"{"display":"summarized","type":"adaptive"} - 9"#
        );
        assert_eq!(
            check("claude-opus-5", visible(false), Some(9), false),
            r#"{"display":"omitted","type":"adaptive"} - 9"#
        );
        assert_eq!(check("claude-haiku-4-5", visible(true), Some(9), false), " - 9");
    }
}
