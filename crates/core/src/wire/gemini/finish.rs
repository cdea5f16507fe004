//! `finishReason`, both ways. Its values are those of Google's client libraries.

use crate::wire::event::{Event, Finish};
use crate::wire::refusal::Class;

/// What a candidate's end says. `called` is whether it called a tool: the reason is `STOP` then as well.
///
/// The reasons that are failures say that the model's output could not be used: an unreadable call, a call of an
/// unknown tool, too many of them, no answer at all. To end such an answer as if the model had been done would be a
/// lie, and another target may do better, so that they are [`Event::Failed`] with the reason as the code. So is a
/// reason that is not known here.
pub(super) fn event(reason: &str, message: Option<String>, called: bool) -> Option<Event> {
    Some(Event::Finish(match reason {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "STOP" if called => Finish::ToolCalls,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII"
        | "MODEL_ARMOR" => Finish::ContentFilter,
        other if other.starts_with("IMAGE_") => Finish::ContentFilter,
        other => {
            let message = message.unwrap_or_else(|| format!("the model ended its answer with {other}"));
            return Some(Event::Failed { message, code: Some(other.to_owned()), class: Class::Failed });
        }
    }))
}

/// The reason that a caller of this dialect is told.
pub(super) fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::ToolCalls | Finish::Paused => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter => "SAFETY",
    }
}
