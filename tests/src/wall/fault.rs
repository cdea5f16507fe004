//! The model names that the wall knows, as data.

use std::time::Duration;

/// What the wall does with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A good answer of so many tokens, with a pause before each.
    Ok(usize, Duration),
    /// An error status, with `Retry-After` seconds.
    Status(u16, Option<u64>),
    /// Never answers.
    Hang,
    /// Sends the head and a role chunk, then nothing.
    HeadHang,
    /// A good answer whose first token takes this long.
    SlowFirst(Duration),
    /// Resets the connection before any answer.
    Reset,
    /// Resets after so many tokens.
    Cut(usize),
    /// Ends the body properly after so many tokens, without a finish reason or `[DONE]`.
    Eof(usize),
    /// An error event after so many tokens.
    Error(usize),
    /// A frame that is not JSON after so many tokens; then it goes on.
    Malformed(usize),
    /// A good answer without `[DONE]`.
    NoDone,
    /// Nothing more after so many tokens.
    Stall(usize),
    /// A good answer in an unusual spelling: see [`super::ODD`].
    Odd,
    /// Says what it was asked.
    Echo,
    /// Calls so many tools at once; once their results are there, says the first.
    Tools(usize),
    /// Fails so many times with 500, then is good.
    Flaky(usize),
    /// An answer derived from the messages alone.
    Stage,
    /// Like `Stage`, but the call of this number waits for [`super::Wall::release`].
    Hold(usize),
}

/// How many tokens a good answer has.
pub const TOKENS: usize = 8;

/// Splits `fault:arguments~tag`; `None` for a model that the wall does not have.
pub fn parse(model: &str) -> Option<(Fault, &str)> {
    let (name, tag) = model.split_once('~').unwrap_or((model, ""));
    let mut words = name.split(':');
    let fault = words.next()?;
    let numbers: Vec<u64> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let number = |index: usize, default: u64| numbers.get(index).copied().unwrap_or(default);
    let count = |default: usize| numbers.first().map_or(default, |n| usize::try_from(*n).unwrap_or(default));
    let fault = match fault {
        "ok" => Fault::Ok(count(TOKENS), Duration::ZERO),
        "ok-slow" => {
            let tokens = usize::try_from(number(1, 8)).unwrap_or(TOKENS);
            Fault::Ok(tokens, Duration::from_millis(number(0, 50)))
        }
        "s429" => Fault::Status(429, numbers.first().copied()),
        "hang" => Fault::Hang,
        "head-hang" => Fault::HeadHang,
        "slow-first" => Fault::SlowFirst(Duration::from_millis(number(0, 800))),
        "rst" => Fault::Reset,
        "cut" => Fault::Cut(count(5)),
        "eof" => Fault::Eof(count(5)),
        "error-first" => Fault::Error(0),
        "error" => Fault::Error(count(5)),
        "malformed" => Fault::Malformed(count(3)),
        "no-done" => Fault::NoDone,
        "stall" => Fault::Stall(count(5)),
        "odd" => Fault::Odd,
        "echo" => Fault::Echo,
        "tools" => Fault::Tools(count(1)),
        "flaky" => Fault::Flaky(count(1)),
        "stage" => Fault::Stage,
        "hold" => Fault::Hold(count(1)),
        _ => Fault::Status(fault.strip_prefix('s')?.parse().ok().filter(|s| (400..600).contains(s))?, None),
    };
    Some((fault, tag))
}
