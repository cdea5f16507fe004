//! How a target is asked to go on with what another has begun to say.

use super::answer::{Answer, Block};
use super::conversation::{Conversation, Format, Message, Part, Role};
use super::event::Event;
use super::prompt::{Prompt, estimate};
use super::{Dialect, openai, request};
use crate::call::Shape;

/// What a model is told that cannot simply write on: it sees the beginning as its own words.
const GO_ON: &str = "Your last message stops in the middle: the connection was lost. Write only what comes after its \
    last character, in the same language, style and format. Do not repeat anything of it, do not begin anew, and do \
    not mention that it was interrupted.";

/// The prompt of an answer that may be continued: `None` where it asks for something of which half cannot be
/// completed by another (tools, a format, thinking), or that only the provider that began can be told.
pub fn of(prompt: &Prompt) -> Option<Conversation> {
    let conversation = match prompt {
        Prompt::Own(dialect, members) => dialect.read(members).ok()?,
        Prompt::Offered(..) => return None,
        Prompt::Plain(plain) => openai::read(&request::chat(plain, Shape::Stream)).ok()?,
        Prompt::Embeddings(_) => return None,
    };
    let settings = &conversation.settings;
    let plain = conversation.tools.is_empty()
        && conversation.foreign.is_empty()
        && settings.format == Format::Text
        && settings.reasoning.is_none();
    plain.then_some(conversation)
}

/// What an answer has said, if it is text alone.
pub fn said(answer: &Answer) -> Option<String> {
    let text = answer.has_only_text() && answer.blocks.iter().all(|block| matches!(block, Block::Text(_)));
    text.then(|| answer.text()).filter(|text| !text.trim().is_empty())
}

/// Asks to go on after `said`, of which `tokens` were counted. `prefill`: every target writes on from an assistant's
/// last message by itself.
pub fn prompt(mut conversation: Conversation, said: &str, tokens: u64, prefill: bool) -> Option<Prompt> {
    let message = |role, text: &str| Message { role, parts: vec![Part::Text(text.to_owned())] };
    // Anthropic takes no space at the end of a message that is to be continued.
    let said = if prefill { said.trim_end() } else { said };
    conversation.messages.push(message(Role::Assistant, said));
    if !prefill {
        conversation.messages.push(message(Role::User, GO_ON));
    }
    let left = |bound: u64| bound.saturating_sub(tokens).max(1);
    conversation.settings.max_output = conversation.settings.max_output.map(left);
    let members = openai::write(&conversation, "", Shape::Stream).ok()?;
    Some(Prompt::Own(Dialect::OpenAi, members))
}

/// Joins the second part to the first: spaces that both have at the seam stand there once.
#[derive(Debug, Default)]
pub struct Seam {
    /// The spaces at the first part's end that the second may still repeat.
    repeated: String,
}

impl Seam {
    /// After these words.
    pub fn after(said: &str) -> Self {
        Self { repeated: said.get(said.trim_end().len()..).unwrap_or_default().to_owned() }
    }

    /// An event of the second part as it follows the first: the answer has begun already, and has its spaces.
    pub fn join(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Start { .. } => None,
            Event::Text(text) if !self.repeated.is_empty() => {
                let mut repeated = self.repeated.chars();
                let mut rest = text.chars();
                while !rest.as_str().is_empty() && rest.clone().next() == repeated.clone().next() {
                    rest.next();
                    repeated.next();
                }
                let rest = rest.as_str().to_owned();
                self.repeated = if rest.is_empty() { repeated.as_str().to_owned() } else { String::new() };
                (!rest.is_empty()).then_some(Event::Text(rest))
            }
            other => Some(other),
        }
    }
}

/// The input tokens that asking to go on takes beside what was said: for the hold.
pub fn overhead() -> u64 {
    // With room for the messages' frames.
    estimate(GO_ON.len().saturating_add(64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json::Members;

    fn own(body: &str) -> Prompt {
        Prompt::Own(Dialect::OpenAi, Members::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn only_plain_text_is_continued() {
        let with = |more: &str| {
            of(&own(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{more}}}"#)))
                .is_some()
        };
        assert!(with(""));
        assert!(with(r#","temperature":0.5,"max_tokens":9,"stop":["x"]"#));
        for more in [
            r#","tools":[{"type":"function","function":{"name":"f"}}]"#,
            r#","response_format":{"type":"json_object"}"#,
            r#","reasoning_effort":"low""#,
            r#","logprobs":true"#,
            r#","n":2"#,
        ] {
            assert!(!with(more), "{more}");
        }
    }

    #[test]
    fn the_beginning_is_the_assistants_and_the_bound_shrinks() {
        let asked = own(r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#);
        let bound = crate::wire::prompt::max_output;
        let continued = |tokens, prefill| {
            let prompt = prompt(of(&asked).unwrap(), "one two ", tokens, prefill).unwrap();
            let Prompt::Own(Dialect::OpenAi, members) = prompt else { panic!("another prompt") };
            let body: serde_json::Value = serde_json::from_str(&members.text()).unwrap();
            let roles: Vec<String> =
                body["messages"].as_array().unwrap().iter().map(|it| it["role"].to_string()).collect();
            (roles.join(""), body["messages"][1]["content"].to_string(), bound(&members))
        };
        let (roles, said, bound) = continued(4, false);
        assert_eq!(
            (roles.as_str(), said.as_str(), bound),
            (r#""user""assistant""user""#, r#""one two ""#, Some(5))
        );
        let (roles, said, bound) = continued(99, true);
        assert_eq!((roles.as_str(), said.as_str(), bound), (r#""user""assistant""#, r#""one two""#, Some(1)));
    }

    #[test]
    fn spaces_do_not_double_at_the_seam() {
        let joined = |said: &str, pieces: &[&str]| {
            let mut seam = Seam::after(said);
            let texts = pieces.iter().filter_map(|it| match seam.join(Event::Text((*it).to_owned()))? {
                Event::Text(text) => Some(text),
                _ => None,
            });
            format!("{said}{}", texts.collect::<String>())
        };
        assert_eq!(joined("a ", &[" b", " c"]), "a b c");
        assert_eq!(joined("a", &[" b"]), "a b");
        assert_eq!(joined("a ", &["b"]), "a b");
        assert_eq!(joined("f():\n", &["    return"]), "f():\n    return");
        assert_eq!(joined("f():\n", &["\n", "    return"]), "f():\n    return");
        assert_eq!(joined("f():\n  ", &["\n", "  return"]), "f():\n  return");
    }
}
