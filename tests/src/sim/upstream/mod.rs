//! A provider that lies: what it says to each attempt, decided by the seed before it says it.

mod anthropic;
mod gemini;
mod openai;
mod play;
mod responses;

use bytes::Bytes;

pub use self::play::{Pace, script};

/// The dialects that providers speak here. A further one is a row.
pub const DIALECTS: [Dialect; 4] = [openai::ROW, responses::ROW, anthropic::ROW, gemini::ROW];

/// How a dialect writes what a provider says.
pub struct Dialect {
    /// As `[[targets]]` and the callers' table name it.
    pub name: &'static str,
    /// A further line of its targets' rows.
    pub target: &'static str,
    /// What `base_url` has after the host.
    pub base: &'static str,
    /// The path of a request.
    pub path: fn(streamed: bool) -> &'static str,
    /// Whether a request asks for a stream.
    pub streams: fn(&http::Request<Bytes>) -> bool,
    /// Where it reports counts.
    pub counts: Counting,
    /// Its frames, with lines that end in LF; the last of them says it. Empty where the dialect has none for it.
    pub frames: fn(&Say, &mut Answer) -> Vec<String>,
    /// An answer that is not streamed.
    pub whole: fn(text: &str, counts: Option<Counts>, finished: bool, answer: &Answer) -> String,
    /// The body of a status that is not 2xx.
    pub refusal: fn(status: u16) -> String,
}

/// Where a dialect reports counts, beside the frame with the reason for the end, which each may.
#[derive(Clone, Copy, Debug)]
pub struct Counting {
    /// In the first frame.
    pub early: bool,
    /// In the frames of the text: all so far.
    pub running: bool,
    /// In a frame of their own after the reason for the end.
    pub late: bool,
    /// Whether the part of the output that was reasoning has a place.
    pub reasoning: bool,
    /// Whether what is reported before the end is only what was counted so far.
    pub partial: bool,
}

/// What all frames of an answer have in common, and what was said in them.
#[derive(Default)]
pub struct Answer {
    /// The provider's id.
    pub id: String,
    /// The model.
    pub model: String,
    /// All text so far.
    pub said: String,
    /// Whether the text has begun.
    pub open: bool,
    /// The number of the next event, where events are numbered.
    pub number: u64,
}

/// Token counts that a provider reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// All input.
    pub input: u64,
    /// All output.
    pub output: u64,
    /// Part of `input`.
    pub cached: u64,
    /// Part of `output`.
    pub reasoning: u64,
}

/// One thing that a provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// It begins, with counts where the dialect reports them early; not content.
    Start(Option<Counts>),
    /// A comment or a ping.
    Comment,
    /// A token, with counts where the provider repeats them.
    Text(String, Option<Counts>),
    /// Why it ends.
    Finish(Option<Counts>),
    /// Counts alone.
    Usage(Counts),
    /// A frame for counts with none in it.
    NoUsage,
    /// A failure inside the stream.
    Error,
    /// The same, said as a finish reason.
    ErrorAsFinish,
    /// A frame that cannot be read.
    Malformed,
    /// The terminator.
    End,
    /// A whole answer.
    Whole {
        /// Its text.
        text: String,
        /// Its counts.
        counts: Option<Counts>,
        /// Whether it is an answer with a finish reason.
        finished: bool,
    },
}

/// What one attempt will meet.
pub struct Script {
    /// For the story.
    pub name: String,
    /// Milliseconds until the head, or until the connection fails.
    pub head_after: u64,
    /// What comes then.
    pub head: Head,
    /// What comes after the head, each so many milliseconds after the one before; then silence for ever.
    pub steps: Vec<(u64, Step)>,
    /// What is said, in the order of its bytes.
    pub said: Vec<Said>,
    /// All of the body that would be sent.
    pub bytes: usize,
}

/// What an attempt's request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A status, with `Retry-After` in seconds.
    Status(u16, Option<u64>),
    /// The connection fails.
    Broken,
    /// Nothing, ever.
    Silence,
}

/// One thing that the body does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Bytes come.
    Chunk(Bytes),
    /// It ends as its sender meant.
    Eof,
    /// The connection is cut.
    Cut,
}

/// A thing that is said and where its bytes end.
pub struct Said {
    /// What.
    pub say: Say,
    /// The frame as a caller of the same dialect gets it.
    pub bytes: Bytes,
    /// How much of the body has come with it.
    pub end: usize,
}

/// What came of a script: what an honest gateway knows.
#[derive(Debug, Default)]
pub struct Truth {
    /// All text.
    pub text: String,
    /// A finish reason was said, and no failure after it.
    pub finished: bool,
    /// A failure was said.
    pub failed: bool,
    /// The last counts.
    pub counts: Option<Counts>,
    /// Unreadable frames.
    pub unreadable: u32,
}

impl Script {
    /// What was said in so many bytes; `eof`: the body ended after them.
    pub fn truth(&self, delivered: usize, eof: bool) -> Truth {
        let mut truth = Truth::default();
        for said in self.came(delivered, eof) {
            match &said.say {
                Say::Text(text, counts) => {
                    truth.text.push_str(text);
                    truth.counts = counts.or(truth.counts);
                }
                Say::Finish(counts) => {
                    truth.finished = true;
                    truth.counts = counts.or(truth.counts);
                }
                Say::Usage(counts) => truth.counts = Some(*counts),
                Say::Error | Say::ErrorAsFinish => truth.failed = true,
                Say::Malformed => truth.unreadable += 1,
                Say::Whole { text, counts, finished } => {
                    truth = Truth { text: text.clone(), counts: *counts, finished: *finished, ..truth };
                }
                Say::Start(counts) => truth.counts = counts.or(truth.counts),
                Say::Comment | Say::NoUsage => {}
                // Whatever comes after it is none of the answer.
                Say::End => break,
            }
            if truth.failed {
                truth.finished = false;
                break;
            }
        }
        truth
    }

    /// What has come in so many bytes. The last frame of a body that ends may lack its line breaks.
    pub fn came(&self, delivered: usize, eof: bool) -> impl Iterator<Item = &Said> {
        self.said.iter().take_while(move |said| match said.say {
            Say::Whole { .. } => eof && said.end <= delivered,
            _ => said.end <= delivered && (said.end < self.bytes || !self.torn() || eof),
        })
    }

    /// Whether the body's last frame lacks its line breaks.
    fn torn(&self) -> bool {
        let sent: usize = self.said.iter().map(|said| said.bytes.len()).sum();
        sent > self.bytes
    }
}

impl Say {
    /// Whether an answer has begun with it.
    pub fn is_content(&self) -> bool {
        match self {
            Self::Text(text, _) => !text.is_empty(),
            Self::Finish(_) | Self::Whole { .. } => true,
            _ => false,
        }
    }

    /// Whether a caller of the same dialect gets its frame.
    pub fn passes(&self, dialect: &Dialect, usage: bool) -> bool {
        match self {
            // In OpenAI's dialect they are the gateway's own wish, unless the caller has it too.
            Self::Usage(_) => usage || dialect.name != "openai",
            Self::Error | Self::ErrorAsFinish | Self::Malformed | Self::End => false,
            _ => true,
        }
    }
}
