//! The thinking mode: decompose → critique → reason → reflect → answer, where flags may leave stages out. Each gets the question and everything
//! that the stages before it wrote, whole as long as the hand-over's budget lasts.

use serde::{Deserialize, Serialize};

use super::{Next, Op, Show};
use crate::config::features::{Flags, MAX_REFLECTIONS};
use crate::wire::json::Members;
use crate::wire::prompt::{Plain, Prompt, Turn, estimate, max_output};

/// The most characters that one stage hands to the next, all earlier stages together. Four stages of 4,000
/// characters each fit whole.
pub const HANDOVER: usize = 24_000;

/// What of a caller's parameters the hidden stages get: how to sample, not what the answer must look like.
pub(super) const SAMPLING: [&str; 9] = [
    "temperature",
    "top_p",
    "seed",
    "max_tokens",
    "max_completion_tokens",
    "presence_penalty",
    "frequency_penalty",
    "reasoning_effort",
    "user",
];

/// A run of the mode.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Thinking {
    query: String,
    /// What each finished stage wrote.
    written: Vec<String>,
    /// The caller's: the answer gets all of them.
    params: Members,
    /// Without it, the answer is the only stage.
    chain: bool,
    /// How often the reasoning is checked.
    reflections: u8,
}

/// A stage's name and its task.
type Stage = (&'static str, &'static str);

const CHAIN: [Stage; 3] = [
    (
        "decompose",
        "Break the question into the smallest set of sub-questions that settle it. State what is asked, what is \
         given, what is missing, and in which order the parts depend on each other. Do not answer yet.",
    ),
    (
        "critique",
        "Test the decomposition: name at least three different viewpoints on the question, hidden assumptions, \
         likely fallacies and biases, and anything the decomposition leaves out. Do not answer yet.",
    ),
    (
        "reason",
        "Work through the sub-questions one by one, taking the critique into account. Show each step and what it \
         follows from; mark what is certain, likely or guessed.",
    ),
];

const REFLECTIONS: [Stage; MAX_REFLECTIONS as usize] =
    [("reflect", REFLECT), ("reflect_again", REFLECT), ("reflect_once_more", REFLECT)];

const REFLECT: &str = "Check the reasoning: look for errors, gaps and contradictions between the stages, correct them, \
    and say how far the conclusion can be trusted.";

const ANSWER: Stage = (
    "answer",
    "Write the final answer to the question for its asker, using everything above. Lead with the conclusion, give the \
     reasons that carry it, and state what remains uncertain. Do not mention the stages.",
);

impl Thinking {
    /// A new run, as the tenant's flags want it.
    pub fn new(query: &str, params: Members, flags: &Flags) -> Self {
        Self {
            query: query.to_owned(),
            written: Vec::new(),
            params,
            chain: flags.thinking_chain,
            reflections: flags.reflection_depth,
        }
    }

    fn stages(&self) -> impl Iterator<Item = Stage> {
        let reflections = REFLECTIONS.into_iter().take(usize::from(self.reflections));
        let before = CHAIN.into_iter().chain(reflections).take(if self.chain { usize::MAX } else { 0 });
        before.chain([ANSWER])
    }

    pub(super) fn next(&self) -> Next {
        let Some((id, task)) = self.stages().nth(self.written.len()) else { return Next::Done };
        let mut messages = vec![Turn::system(task), Turn::user(format!("The question:\n{}", self.query))];
        let names = self.stages().map(|(name, _)| name);
        for (name, text) in names.zip(hand_over(&self.written, HANDOVER)) {
            messages.push(Turn::user(format!("Written in the stage \"{name}\":\n{text}")));
        }
        let last = id == ANSWER.0;
        let params = if last { self.params.clone() } else { self.params.only(&SAMPLING) };
        let show = if last { Show::Answer } else { Show::Hidden };
        Next::All(vec![Op::Ask { id, prompt: Prompt::Plain(Plain { messages, params }), show }])
    }

    pub(super) fn absorb(&mut self, op: &str, text: String) {
        if self.stages().nth(self.written.len()).is_some_and(|(id, _)| id == op) {
            self.written.push(text);
        }
    }

    pub(super) fn asks_left(&self) -> u64 {
        u64::try_from(self.stages().count().saturating_sub(self.written.len())).unwrap_or(0)
    }

    pub(super) fn bound_output(&mut self, bound: u64) {
        if self.max_output().is_none() {
            self.params.set("max_tokens", &bound);
        }
    }

    pub(super) fn max_output(&self) -> Option<u64> {
        max_output(&self.params)
    }

    pub(super) fn input_bound(&self) -> u64 {
        // The hand-over is counted in characters, of at most four bytes.
        let texts = self.query.len().saturating_add(HANDOVER.saturating_mul(4));
        estimate(texts.saturating_add(self.params.size()).saturating_add(1_000))
    }
}

/// The texts, cut only when together they exceed the budget: then the longest give way first, and each cut says how
/// much is missing. The middle goes, because openings and conclusions carry most.
fn hand_over(texts: &[String], budget: usize) -> Vec<String> {
    let share = fair_share(texts, budget);
    texts.iter().map(|text| shorten(text, share)).collect()
}

/// The most characters that each text may keep so that all fit into the budget.
fn fair_share(texts: &[String], budget: usize) -> usize {
    let mut lengths: Vec<usize> = Vec::with_capacity(texts.len());
    for length in texts.iter().map(|text| text.chars().count()) {
        let place = lengths.iter().position(|other| *other > length).unwrap_or(lengths.len());
        lengths.insert(place, length);
    }
    let mut left = budget;
    for (position, length) in lengths.iter().enumerate() {
        let share = left.checked_div(lengths.len().saturating_sub(position)).unwrap_or(0);
        if *length > share {
            return share;
        }
        left = left.saturating_sub(*length);
    }
    budget
}

/// Its beginning and its end, with what is missing between them.
pub(super) fn shorten(text: &str, keep: usize) -> String {
    let length = text.chars().count();
    if length <= keep {
        return text.to_owned();
    }
    let half = keep.checked_div(2).unwrap_or(0);
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(length.saturating_sub(half)).collect();
    let missing = length.saturating_sub(half.saturating_mul(2));
    format!("{head}\n[{missing} characters left out]\n{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::features::Features;

    fn prompt_of(thinking: &Thinking) -> (&'static str, Show, String) {
        let Next::All(mut ops) = thinking.next() else { panic!("no step") };
        let Some(Op::Ask { id, prompt: Prompt::Plain(plain), show }) = ops.pop() else { panic!("no ask") };
        (id, show, plain.messages.into_iter().map(|turn| turn.content).collect::<Vec<_>>().join("\n"))
    }

    fn thinking(flags: &str, params: &str) -> Thinking {
        let features = Config::parse(&format!("[features]\n{flags}")).unwrap().features;
        let flags = features.over(&Features::default());
        Thinking::new("why is the sky blue?", Members::parse(params.as_bytes()).unwrap(), &flags)
    }

    #[test]
    fn every_stage_sees_all_before_it_whole() {
        let mut thinking = thinking("", "{}");
        let stages = ["decompose", "critique", "reason", "reflect", "answer"];
        for (stage, name) in stages.iter().enumerate() {
            let (id, show, text) = prompt_of(&thinking);
            assert_eq!(id, *name);
            assert_eq!(show == Show::Answer, stage == 4);
            assert!(text.contains("why is the sky blue?"));
            for earlier in 0..stage {
                assert!(text.contains(&format!("<{earlier}>{}</{earlier}>", "x".repeat(4_000))));
            }
            thinking.absorb(id, format!("<{stage}>{}</{stage}>", "x".repeat(4_000)));
        }
        assert!(matches!(thinking.next(), Next::Done));
    }

    #[test]
    fn flags_decide_the_stages() {
        assert_eq!(thinking("", "{}").asks_left(), 5);
        assert_eq!(thinking("reflection_depth = 0", "{}").asks_left(), 4);
        assert_eq!(thinking("reflection_depth = 3", "{}").asks_left(), 7);
        assert_eq!(thinking("thinking_chain = false\nreflection_depth = 3", "{}").asks_left(), 1);
    }

    #[test]
    fn the_answer_gets_every_parameter_and_the_hidden_stages_how_to_sample() {
        let params = r#"{"seed":7,"stop":["x"],"response_format":{"type":"json_object"}}"#;
        let of = |flags: &str| {
            let Next::All(mut ops) = thinking(flags, params).next() else { panic!("no step") };
            let Some(Op::Ask { prompt: Prompt::Plain(plain), .. }) = ops.pop() else { panic!("no ask") };
            plain.params.text()
        };
        assert_eq!(of(""), r#"{"seed":7}"#);
        assert_eq!(of("thinking_chain = false"), params);
    }

    #[test]
    fn the_hand_over_stays_within_its_budget_and_says_what_is_missing() {
        let texts = ["a".repeat(100), "b".repeat(30_000), "c".repeat(5_000), "é".repeat(40_000)];
        let handed = hand_over(&texts, HANDOVER);
        assert_eq!(handed.first(), texts.first());
        assert_eq!(handed.get(2), texts.get(2));
        let kept: usize =
            handed.iter().map(|text| text.chars().filter(|c| "abcé".contains(*c)).count()).sum();
        assert!(kept <= HANDOVER + 100, "{kept}");
        assert!(handed.iter().filter(|text| text.contains("characters left out]")).count() == 2);
    }
}
