//! What the wall does with one call, step by step.

use std::time::Duration;

use super::answer::Answer;
use super::asked::Asked;
use super::dialect::{Dialect, Say};
use super::fault::{Fault, Order};
use super::reason::Reason;

/// One thing that the wall does on the connection.
pub enum Step {
    /// Nothing, this long.
    Wait(Duration),
    /// Nothing, until the test releases the tag.
    Gate,
    /// Nothing, for ever.
    Hang,
    /// A whole response: status, extra headers, body.
    Whole(u16, String, String),
    /// The head of a stream.
    Stream,
    /// Something that is said in a stream.
    Say(Say),
    /// Bytes of a stream as they are.
    Raw(&'static str),
    /// Part of a whole response, which promises more than it holds.
    Half(String),
    /// The proper end of a stream.
    End,
    /// FIN.
    Fin,
    /// RST.
    Reset,
}

/// Which call this is.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Of the tag, from 1.
    pub number: usize,
    /// Of the model, from 1.
    pub of_model: usize,
    /// The seconds until the model answers, while it does not.
    pub left: Option<u64>,
}

/// The steps for a call.
pub fn script(order: &Order, asked: &Asked, answer: &Answer, turn: Turn) -> Vec<Step> {
    match order.fault {
        Fault::Hang => return vec![Step::Hang],
        Fault::Reset => return vec![Step::Reset],
        _ => {}
    }
    if let Some(reason) = refused(order, asked, turn) {
        return vec![refusal(asked.dialect, &reason)];
    }
    let mut steps = match order.fault {
        Fault::SlowHead(wait) => vec![Step::Wait(wait)],
        Fault::Hold(gated) if gated == turn.number => vec![Step::Gate],
        _ => Vec::new(),
    };
    steps.extend(if asked.stream { streamed(order, asked, answer) } else { whole(order, asked, answer) });
    steps
}

/// A refusal as a response.
pub fn refusal(dialect: Dialect, reason: &Reason) -> Step {
    let headers = match reason {
        Reason::Plain(_, Some(seconds)) | Reason::Status(_, Some(seconds)) => {
            format!("retry-after: {seconds}\r\n")
        }
        _ => String::new(),
    };
    Step::Whole(reason.status(), headers, dialect.error(reason))
}

/// Why there is no answer to this call.
fn refused(order: &Order, asked: &Asked, turn: Turn) -> Option<Reason> {
    if let Some(complaint) = &asked.complaint {
        return Some(complaint.clone());
    }
    if let Some(complaint) = asked.unsealed.as_ref().filter(|_| order.thinking) {
        return Some(complaint.clone());
    }
    match order.fault {
        Fault::Status(status, retry) => Some(Reason::Plain(status, retry)),
        Fault::Refused(status, retry) => Some(Reason::Status(status, retry)),
        Fault::RetryAfter(_) => turn.left.map(|seconds| Reason::Status(429, Some(seconds))),
        Fault::Flaky(times) => (turn.of_model <= times).then_some(Reason::Plain(500, None)),
        Fault::Flap(times) => {
            ((turn.of_model - 1) / times).is_multiple_of(2).then_some(Reason::Status(503, None))
        }
        Fault::Context => Some(Reason::Context),
        Fault::Filter => asked.dialect.blocked(asked).is_none().then_some(Reason::Filter),
        Fault::NoPrefill => asked.prefilled.then_some(Reason::Prefill),
        _ => None,
    }
}

fn streamed(order: &Order, asked: &Asked, answer: &Answer) -> Vec<Step> {
    let mut steps = vec![Step::Stream];
    match order.fault {
        Fault::Odd => steps.push(Step::Raw(asked.dialect.odd().0)),
        Fault::Rich => steps.push(Step::Raw(asked.dialect.rich().0)),
        Fault::Filter => steps.push(Step::Say(Say::Blocked)),
        Fault::Error(0) => steps.push(Step::Say(Say::Error(Reason::Broke))),
        Fault::Flagged(0) => steps.push(Step::Say(Say::Error(Reason::Filter))),
        Fault::EarlyError => {
            steps.extend([Say::Start, Say::Beat, Say::Beat, Say::Beat].map(Step::Say));
            steps.push(Step::Say(Say::Error(Reason::Overloaded)));
        }
        _ => {
            steps.push(Step::Say(Say::Start));
            steps.extend(said(order, answer));
            return ended(&order.fault, steps);
        }
    }
    steps.push(Step::End);
    steps
}

/// The content, as far as the fault lets it come.
fn said(order: &Order, answer: &Answer) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Fault::SlowFirst(wait) = order.fault {
        let half = wait / 2;
        steps.extend([Step::Say(Say::Beat), Step::Wait(half), Step::Say(Say::Beat), Step::Wait(wait - half)]);
    }
    let most = match order.fault {
        Fault::Cut(count)
        | Fault::Drop(count)
        | Fault::Eof(count)
        | Fault::Error(count)
        | Fault::Flagged(count)
        | Fault::Stall(count)
        | Fault::Filtered(count)
        | Fault::Length(count) => count,
        _ => usize::MAX,
    };
    let mut pieces = 0;
    for say in content(answer) {
        if pieces == most {
            break;
        }
        if say.is_piece() {
            if let Fault::Ok(pace) = order.fault
                && !pace.is_zero()
            {
                steps.push(Step::Wait(pace));
            }
            if order.fault == Fault::Malformed(pieces) {
                steps.push(Step::Say(Say::Malformed));
            }
            pieces += 1;
        }
        steps.push(Step::Say(say));
    }
    steps
}

fn content(answer: &Answer) -> Vec<Say> {
    let mut says: Vec<Say> = answer.thoughts.iter().cloned().map(Say::Thought).collect();
    if !says.is_empty() {
        says.push(Say::Seal);
    }
    says.extend(answer.tokens.iter().cloned().map(Say::Token));
    for (index, call) in answer.calls.iter().enumerate() {
        says.push(Say::Call(index));
        says.extend(call.pieces().into_iter().map(|piece| Say::Arguments(index, piece)));
    }
    says
}

/// The end that the fault gives a stream.
fn ended(fault: &Fault, mut steps: Vec<Step>) -> Vec<Step> {
    /// A reset may overtake what was written just before it.
    const SETTLED: Duration = Duration::from_millis(30);
    match fault {
        Fault::Cut(_) => steps.extend([Step::Wait(SETTLED), Step::Reset]),
        Fault::Drop(_) => steps.push(Step::Fin),
        Fault::Eof(_) => steps.push(Step::End),
        Fault::Stall(_) => steps.push(Step::Hang),
        Fault::Error(_) => steps.extend([Step::Say(Say::Error(Reason::Broke)), Step::End]),
        Fault::Flagged(_) => steps.extend([Step::Say(Say::Error(Reason::Filter)), Step::End]),
        Fault::NoDone => steps.extend([Step::Say(Say::Finish), Step::End]),
        _ => steps.extend([Step::Say(Say::Finish), Step::Say(Say::Terminator), Step::End]),
    }
    steps
}

fn whole(order: &Order, asked: &Asked, answer: &Answer) -> Vec<Step> {
    let dialect = asked.dialect;
    let body = dialect.whole(asked, answer);
    let good = |body: String| Step::Whole(200, String::new(), body);
    match order.fault {
        Fault::Odd => vec![good(dialect.odd().1.to_owned())],
        Fault::Rich => vec![good(dialect.rich().1.to_owned())],
        Fault::Filter => vec![good(dialect.blocked(asked).unwrap_or_default())],
        Fault::Error(_) | Fault::EarlyError => vec![good(dialect.failed(asked, &Reason::Broke))],
        Fault::Flagged(_) => vec![good(dialect.failed(asked, &Reason::Filter))],
        Fault::Malformed(_) => vec![good("{\"choices\":[".to_owned())],
        Fault::Cut(_) => vec![Step::Half(body), Step::Reset],
        Fault::Drop(_) => vec![Step::Half(body), Step::Fin],
        Fault::Stall(_) => vec![Step::Half(body), Step::Hang],
        Fault::SlowFirst(wait) => vec![Step::Wait(wait), good(body)],
        Fault::Ok(pace) if !pace.is_zero() => {
            let pieces = content(answer).iter().filter(|say| say.is_piece()).count();
            vec![Step::Wait(pace * u32::try_from(pieces).unwrap_or(u32::MAX)), good(body)]
        }
        _ => vec![good(body)],
    }
}

impl Say {
    /// Whether it is content, and counts as a token.
    pub fn is_piece(&self) -> bool {
        matches!(self, Self::Thought(_) | Self::Token(_) | Self::Arguments(..))
    }
}
