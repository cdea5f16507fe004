//! What each generation of models takes. Sources: Anthropic's model overview and the documentation of adaptive
//! thinking, effort, structured outputs and mid-conversation system messages, and the abilities in the `litellm` 1.109.1 wheel; November 2026.

/// What a model's requests may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    pub(super) thinks: Thinks,
    pub(super) effort: Effort,
    pub(super) sampling: Sampling,
    /// `output_config.format`, and `strict` of tools.
    pub(super) schema: bool,
    /// `tool_choice` of `any` and `tool`.
    pub(super) forced: bool,
    /// Messages of the role `system`.
    pub(super) system: bool,
}

/// How thinking is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinks {
    Never,
    /// `enabled` with a budget.
    Budget,
    /// `enabled` with a budget, or `adaptive`.
    Either,
    /// `adaptive`.
    Adaptive,
    /// It cannot be disabled.
    Always,
}

/// The levels of `output_config.effort`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    None,
    /// `low`, `medium`, `high`.
    High,
    /// `max` too.
    Max,
    /// `xhigh` too.
    Xhigh,
}

/// Which of `temperature` and `top_p` may differ from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampling {
    Both,
    One,
    /// Nor may there be a `top_k`.
    Fixed,
}

const OLD: Abilities = Abilities {
    thinks: Thinks::Never,
    effort: Effort::None,
    sampling: Sampling::Both,
    schema: false,
    forced: true,
    system: false,
};
const BUDGET: Abilities = Abilities { thinks: Thinks::Budget, ..OLD };
const FOUR_ONE: Abilities = Abilities { sampling: Sampling::One, schema: true, ..BUDGET };
const FOUR_FIVE: Abilities = Abilities { effort: Effort::High, ..FOUR_ONE };
const FOUR_SIX: Abilities = Abilities { thinks: Thinks::Either, effort: Effort::Max, ..FOUR_ONE };
const ADAPTIVE: Abilities = Abilities {
    thinks: Thinks::Adaptive,
    effort: Effort::Xhigh,
    sampling: Sampling::Fixed,
    schema: true,
    forced: true,
    system: true,
};
const FOUR_SEVEN: Abilities = Abilities { system: false, ..ADAPTIVE };
const ALWAYS: Abilities = Abilities { thinks: Thinks::Always, ..ADAPTIVE };
const UNFORCED: Abilities = Abilities { forced: false, ..ALWAYS };
/// A server of another maker that speaks this dialect is sent what the caller asked for.
const FOREIGN: Abilities = Abilities { schema: true, ..BUDGET };

/// By a part of the name; the first that is found counts. A model that is not listed is taken for a new one.
const GENERATIONS: &[(&str, Abilities)] = &[
    ("claude-3-7", BUDGET),
    ("claude-3", OLD),
    ("claude-2", OLD),
    ("claude-instant", OLD),
    ("opus-4-1", FOUR_ONE),
    ("opus-4-5", FOUR_FIVE),
    ("sonnet-4-5", FOUR_ONE),
    ("haiku-4-5", FOUR_ONE),
    ("opus-4-6", FOUR_SIX),
    ("sonnet-4-6", FOUR_SIX),
    ("opus-4-7", FOUR_SEVEN),
    ("opus-4-8", ADAPTIVE),
    ("opus-4", BUDGET),
    ("sonnet-4", BUDGET),
    ("opus-5-5", UNFORCED),
    ("sonnet-5-5", UNFORCED),
    ("fable-5-", UNFORCED),
    ("mythos-5-", UNFORCED),
    ("fable", ALWAYS),
    ("mythos", ALWAYS),
];

pub(super) fn abilities(model: &str) -> Abilities {
    let name = model.to_ascii_lowercase().replace('.', "-");
    if !name.contains("claude") {
        return FOREIGN;
    }
    let listed = GENERATIONS.iter().find(|(part, _)| name.contains(part));
    listed.map_or(ADAPTIVE, |(_, abilities)| *abilities)
}
