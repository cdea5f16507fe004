//! What the wall does with one call, step by step.

use std::time::Duration;

use super::dialect::{Asked, ODD, ODD_WHOLE, error};
use super::fault::{Fault, TOKENS};
use super::tools::Calls;

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
    /// A piece of a stream that is not a token.
    Piece(String),
    /// A token's frame.
    Token(String),
    /// Part of a whole response, which promises more than it holds.
    Half(String),
    /// The proper end of a stream.
    End,
    /// RST.
    Reset,
}

/// The steps for the `number`-th call (from 1) of a tag.
pub fn script(fault: &Fault, asked: &Asked, number: usize) -> Vec<Step> {
    match fault {
        Fault::Hang => return vec![Step::Hang],
        Fault::Reset => return vec![Step::Reset],
        Fault::Status(status, retry) => return vec![refusal(*status, *retry)],
        Fault::Flaky(times) if number <= *times => return vec![refusal(500, None)],
        _ => {}
    }
    let mut steps = match fault {
        Fault::SlowFirst(wait) => vec![Step::Wait(*wait)],
        Fault::Hold(gated) if *gated == number => vec![Step::Gate],
        _ => Vec::new(),
    };
    steps.extend(if asked.stream { streamed(fault, asked) } else { whole(fault, asked) });
    steps
}

fn streamed(fault: &Fault, asked: &Asked) -> Vec<Step> {
    if *fault == Fault::Odd {
        return vec![Step::Stream, Step::Piece(ODD.to_owned()), Step::End];
    }
    if let Some(calls) = calls(fault, asked) {
        let frames = calls.frames(asked) + &asked.usage_frame(TOKENS) + "data: [DONE]\n\n";
        return vec![Step::Stream, Step::Piece(frames), Step::End];
    }
    let tokens = tokens(fault, asked);
    let mut steps = vec![Step::Stream];
    if *fault != Fault::Error(0) {
        steps.push(Step::Piece(asked.role()));
    }
    for (index, token) in tokens.iter().enumerate() {
        if let Fault::Ok(_, pace) = fault
            && !pace.is_zero()
        {
            steps.push(Step::Wait(*pace));
        }
        if *fault == Fault::Malformed(index) {
            steps.push(Step::Piece("data: {\"choices\":[{\"delta\":\n\n".to_owned()));
        }
        steps.push(Step::Token(asked.token(token)));
    }
    match fault {
        // A reset may overtake what was written just before it.
        Fault::Cut(_) => steps.extend([Step::Wait(Duration::from_millis(30)), Step::Reset]),
        Fault::Eof(_) => steps.push(Step::End),
        Fault::HeadHang | Fault::Stall(_) => steps.push(Step::Hang),
        Fault::Error(_) => {
            steps.push(Step::Piece(format!("data: {}\n\n", error("the wall broke"))));
            steps.push(Step::End);
        }
        _ => {
            steps.push(Step::Piece(asked.finish() + &asked.usage_frame(tokens.len())));
            if *fault != Fault::NoDone {
                steps.push(Step::Piece("data: [DONE]\n\n".to_owned()));
            }
            steps.push(Step::End);
        }
    }
    steps
}

fn whole(fault: &Fault, asked: &Asked) -> Vec<Step> {
    if let Some(calls) = calls(fault, asked) {
        return vec![Step::Whole(200, String::new(), calls.whole(asked))];
    }
    let tokens = tokens(fault, asked);
    let body = asked.whole(&tokens, !matches!(fault, Fault::Eof(_)));
    let good = |body: String| Step::Whole(200, String::new(), body);
    match fault {
        Fault::Odd => vec![good(ODD_WHOLE.to_owned())],
        Fault::Error(_) => vec![good(error("the wall broke"))],
        Fault::Malformed(_) => vec![good("{\"choices\":[".to_owned())],
        Fault::Cut(_) => vec![Step::Half(body), Step::Reset],
        Fault::HeadHang | Fault::Stall(_) => vec![Step::Half(body), Step::Hang],
        Fault::Ok(count, pace) if !pace.is_zero() => {
            vec![Step::Wait(*pace * u32::try_from(*count).unwrap_or(u32::MAX)), good(body)]
        }
        _ => vec![good(body)],
    }
}

/// The tool calls of an answer that has some: their results are not there yet.
fn calls(fault: &Fault, asked: &Asked) -> Option<Calls> {
    match fault {
        Fault::Tools(count) if asked.tool_result().is_none() => Some(Calls::of(asked, *count)),
        _ => None,
    }
}

fn tokens(fault: &Fault, asked: &Asked) -> Vec<String> {
    match fault {
        Fault::Echo => asked.echo(),
        Fault::Tools(_) => vec!["The tool said: ".to_owned(), asked.tool_result().unwrap_or_default()],
        Fault::Stage | Fault::Hold(_) => asked.stage(),
        Fault::HeadHang => Vec::new(),
        Fault::Ok(count, _) => Asked::counted(*count),
        Fault::Cut(count) | Fault::Eof(count) | Fault::Error(count) | Fault::Stall(count) => {
            Asked::counted(*count)
        }
        _ => Asked::counted(TOKENS),
    }
}

fn refusal(status: u16, retry: Option<u64>) -> Step {
    let headers = retry.map_or(String::new(), |seconds| format!("retry-after: {seconds}\r\n"));
    Step::Whole(status, headers, error(&format!("the wall answers {status}")))
}
