//! The model names that the wall knows, as data.

use std::time::Duration;

/// What a model's name asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What goes wrong.
    pub fault: Fault,
    /// What is said.
    pub content: Content,
    /// Whether the model thinks first.
    pub thinking: bool,
}

/// What the wall does with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; with a pause before each token.
    Ok(Duration),
    /// An error status in one plain shape, with `Retry-After` seconds.
    Status(u16, Option<u64>),
    /// An error status in the words of the dialect, with `Retry-After` seconds.
    Refused(u16, Option<u64>),
    /// 429 until so many seconds after the first call; `Retry-After` says how many are left.
    RetryAfter(u64),
    /// Fails so many calls of the tag with 500, then is good.
    Flaky(usize),
    /// Fails so many calls of the model with 503, lets as many succeed, and so on.
    Flap(usize),
    /// 400: too long for the model.
    Context,
    /// Refused by the content policy before any content.
    Filter,
    /// 400 when the last message is the assistant's.
    NoPrefill,
    /// Never answers.
    Hang,
    /// Resets the connection before any answer.
    Reset,
    /// A good answer whose head takes this long.
    SlowHead(Duration),
    /// A good stream whose head comes at once and whose first token takes this long.
    SlowFirst(Duration),
    /// Resets after so many tokens.
    Cut(usize),
    /// Closes in the middle of the body after so many tokens.
    Drop(usize),
    /// Ends the body properly after so many tokens, without a finish reason or a terminator.
    Eof(usize),
    /// An error event after so many tokens; after none, before everything else.
    Error(usize),
    /// The opening events, three pings or comments, then an error event.
    EarlyError,
    /// A frame that is not JSON after so many tokens; then it goes on.
    Malformed(usize),
    /// A good answer without its terminator.
    NoDone,
    /// Nothing more after so many tokens.
    Stall(usize),
    /// An error event after so many tokens that names the content policy; after none, before everything else.
    Flagged(usize),
    /// Ends after so many tokens because of a content filter.
    Filtered(usize),
    /// Ends after so many tokens because that was the most.
    Length(usize),
    /// A good answer that reports no usage.
    UsageMissing,
    /// A good answer in an unusual spelling.
    Odd,
    /// A good answer with things beside its text that only its dialect has.
    Rich,
    /// A good answer, but the call of this number waits for [`super::Wall::release`].
    Hold(usize),
}

/// What the wall says when it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// `tok0 tok1 …`, so many.
    Counted(usize),
    /// What it was asked.
    Echo,
    /// Words derived from the messages alone.
    Stage,
    /// The first fenced block of the question, after a program that failed the next one, and at last what it came to.
    Blocks,
    /// A call of the tool that runs code for each fenced block of the question in turn; at last what came of them.
    Runs,
    /// So many tool calls at once; once their results are there, the first of them.
    Tools(usize),
    /// A JSON object that fits the schema that was asked for.
    Json,
    /// Text that is not JSON.
    BadJson,
    /// A JSON object that fits no schema with properties.
    OffJson,
    /// So many tokens of [`LONG`] bytes.
    Long(usize),
    /// Counted tokens whose usage has cached, cache-written and reasoning tokens.
    Usage,
}

/// How long each token of a long answer is.
pub const LONG: usize = 16 * 1024;

/// How many tokens a good answer has.
pub const TOKENS: usize = 8;

/// `Retry-After` counts in seconds; this many milliseconds are one.
const SECOND: u64 = 1000;

/// Splits `fault:arguments+content:arguments~tag`; `None` for a model that the wall does not have.
pub fn parse(model: &str) -> Option<(Order, &str)> {
    let (name, tag) = model.split_once('~').unwrap_or((model, ""));
    let mut order =
        Order { fault: Fault::Ok(Duration::ZERO), content: Content::Counted(TOKENS), thinking: false };
    for (index, part) in name.split('+').enumerate() {
        let mut words = part.split(':');
        let word = words.next()?;
        let numbers: Vec<u64> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let numbers = Numbers(numbers);
        match content(word, &numbers) {
            Some(content) => order.content = content,
            None if word == "thinking" => order.thinking = true,
            None if index == 0 => (order.fault, order.content) = fault(word, &numbers)?,
            None => return None,
        }
    }
    Some((order, tag))
}

/// The numbers behind a name.
struct Numbers(Vec<u64>);

impl Numbers {
    fn at(&self, index: usize, default: u64) -> u64 {
        self.0.get(index).copied().unwrap_or(default)
    }

    fn count(&self, default: usize) -> usize {
        self.0.first().map_or(default, |n| usize::try_from(*n).unwrap_or(default))
    }

    fn millis(&self, default: u64) -> Duration {
        Duration::from_millis(self.at(0, default))
    }
}

fn content(word: &str, numbers: &Numbers) -> Option<Content> {
    Some(match word {
        "echo" => Content::Echo,
        "stage" => Content::Stage,
        "blocks" => Content::Blocks,
        "runs" => Content::Runs,
        "tools" => Content::Tools(numbers.count(1)),
        "json" => Content::Json,
        "badjson" => Content::BadJson,
        "offjson" => Content::OffJson,
        "usage" => Content::Usage,
        "long" => Content::Long(numbers.count(80)),
        _ => return None,
    })
}

/// A fault, and the content that it has unless the name says another.
fn fault(word: &str, numbers: &Numbers) -> Option<(Fault, Content)> {
    let good = Content::Counted(TOKENS);
    let counted = |fault: fn(usize) -> Fault, default: usize| {
        let count = numbers.count(default);
        (fault(count), Content::Counted(count))
    };
    Some(match word {
        "ok" => (Fault::Ok(Duration::ZERO), Content::Counted(numbers.count(TOKENS))),
        "ok-slow" => {
            let tokens = usize::try_from(numbers.at(1, 8)).unwrap_or(TOKENS);
            (Fault::Ok(numbers.millis(50)), Content::Counted(tokens))
        }
        "hang" | "silent" => (Fault::Hang, good),
        "rst" | "reset" => (Fault::Reset, good),
        "head-hang" => (Fault::Stall(0), Content::Counted(0)),
        "slow-head" => (Fault::SlowHead(numbers.millis(800)), good),
        "slow-first" => (Fault::SlowFirst(numbers.millis(800)), good),
        "cut" | "reset-after" => counted(Fault::Cut, 5),
        "drop" => counted(Fault::Drop, 5),
        "eof" => counted(Fault::Eof, 5),
        "error-first" => (Fault::Error(0), Content::Counted(0)),
        "error" | "error-after" => counted(Fault::Error, 5),
        "early-error" => (Fault::EarlyError, good),
        "malformed" => (Fault::Malformed(numbers.count(3)), good),
        "no-done" => (Fault::NoDone, good),
        "stall" => counted(Fault::Stall, 5),
        "filtered" => counted(Fault::Filtered, 5),
        "flagged" => counted(Fault::Flagged, 5),
        "length" => counted(Fault::Length, 5),
        "usage-missing" => (Fault::UsageMissing, good),
        "odd" => (Fault::Odd, good),
        "rich" => (Fault::Rich, good),
        "flaky" => (Fault::Flaky(numbers.count(1)), good),
        "500-once" => (Fault::Flaky(1), good),
        "flap" => (Fault::Flap(numbers.count(1).max(1)), good),
        "429-after" => (Fault::RetryAfter(numbers.at(0, SECOND).div_ceil(SECOND)), good),
        "context" => (Fault::Context, good),
        "filter" => (Fault::Filter, good),
        "no-prefill" => (Fault::NoPrefill, good),
        "hold" => (Fault::Hold(numbers.count(1)), Content::Stage),
        _ => {
            let retry = numbers.0.first().copied();
            let fault = match word.strip_prefix('s') {
                Some(digits) => Fault::Status(status(digits)?, retry),
                None => Fault::Refused(status(word)?, retry),
            };
            (fault, good)
        }
    })
}

fn status(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|status| (400..600).contains(status))
}
