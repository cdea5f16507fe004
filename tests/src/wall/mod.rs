//! The wall: an upstream on loopback whose model name picks the fault, in four dialects.
//!
//! The request's path chooses the dialect, and each is written as its provider writes it:
//!
//! | path | dialect | credential |
//! |---|---|---|
//! | `/v1/chat/completions` | OpenAI chat completions | `Authorization: Bearer` |
//! | `/v1/responses` | OpenAI Responses | `Authorization: Bearer` |
//! | `/v1/messages` | Anthropic Messages; needs `anthropic-version` and `max_tokens` | `x-api-key` |
//! | `/v1beta/models/{model}:generateContent`, `…:streamGenerateContent?alt=sse` | Gemini | `x-goog-api-key` |
//!
//! A call whose credential is not [`KEY`] in its dialect's own header is answered 401. `/v1/embeddings` and
//! `/v1/models` are there as well, and look at no credential. [`sandbox`] stands there too.
//!
//! # Models
//!
//! A model is `fault:number+content:number~tag`, for example `cut:5~left-by-rst` or `cut:2+thinking+tools:2~t`; the
//! content may also stand alone (`tools:2~t`). Counters, bodies and gates are kept by tag, so that tests which run at
//! once do not see each other; what a model did before is kept by its whole name.
//!
//! N counts pieces of content: tokens, pieces of reasoning, pieces of tool arguments (a call of Gemini's has none, it
//! comes whole). "Half a body" promises its full length and holds the first half.
//!
//! | fault | streamed | not streamed | S |
//! |---|---|---|---|
//! | `ok:N` (8) | N tokens and a proper end | the same | |
//! | `ok-slow:MS:N` (50, 8) | MS before each token | after as much time | |
//! | `429-after:MS` (1000) | 429 with `Retry-After` (MS in whole seconds, rounded up) until that time is over since the model's first call, then good; [`Call::early`] marks who came before | the same | S01 |
//! | `429`, `429:SECONDS` | 429, with `Retry-After` | the same | S02 |
//! | `500-once`, `flaky:N` (1) | 500 for the model's first N calls, then good | the same | S03 |
//! | `503`, `529`, any `4NN` or `5NN` | this status in the dialect's words | the same | S04 |
//! | `sNNN`, `sNNN:SECONDS` | the same; in a chat in one plain shape, whatever the status | the same | |
//! | `reset`, `rst` | RST before any byte | the same | S05 |
//! | `silent`, `hang` | never answers | the same | S06 |
//! | `slow-first:MS` (800) | head, opening events and pings at once; the first token after MS | after MS | S07 |
//! | `slow-head:MS` (800) | nothing for MS, then good | after MS | S07 |
//! | `head-hang` | head and opening events, then nothing | half a body, then nothing | S07 |
//! | `cut:N`, `reset-after:N` (5) | RST after N tokens | half a body, then RST | S08 |
//! | `drop:N` (5) | FIN after N tokens, inside the body | half a body, then FIN | S08 |
//! | `eof:N` (5) | a proper end of the body after N tokens, without finish reason or terminator | a body without a finish reason | S08 |
//! | `error:N`, `error-after:N` (5) | an error in the stream after N tokens | 200 whose body is an error | S08 |
//! | `error-first` | an error before everything else in the stream | 200 whose body is an error | |
//! | `early-error` | opening events, three pings, comments or empty chunks, then an error | 200 whose body is an error | |
//! | `stall:N` (5) | nothing more after N tokens | half a body, then nothing | S09 |
//! | `malformed:N` (3) | a frame that is not JSON after N tokens, then the rest | a body that is not JSON | S10 |
//! | `no-done` | no `[DONE]`, no `message_stop`; like `ok` where the dialect has no terminator of its own (Responses, Gemini) | good | S11 |
//! | `context` | 400: too long for the model's window | the same | S12 |
//! | `filter` | 400: against the policy; Gemini: 200 with `promptFeedback.blockReason` | the same | S13 |
//! | `flagged:N` (5) | an error in the stream after N tokens that names the content policy | 200 whose body is that error | S13 |
//! | `filtered:N` (5) | ends after N tokens with the dialect's reason for a content filter | the same | S13 |
//! | `length:N` (5) | ends after N tokens with the dialect's reason for the longest answer | the same | |
//! | `no-prefill` | 400 when the last message is the assistant's, otherwise good | the same | S14 |
//! | `flap:N` (1) | 503 for N calls of the model, good for N, and so on | the same | S15 |
//! | `usage-missing` | good, but no usage is reported | the same | |
//! | `odd` | good, in an unusual spelling: [`Dialect::odd`] | the same | |
//! | `rich` | good, with things beside its text that only its dialect has: [`Dialect::rich`] | the same | |
//! | `hold:N` (1) | as `stage`, but the tag's call N waits for [`Wall::release`] | the same | |
//!
//! | content | what is said |
//! |---|---|
//! | `echo` | the last user message and every parameter, as JSON |
//! | `stage` | words derived from the conversation alone |
//! | `blocks` | the first fenced block of the question; after a program that failed the next one; then what it came to |
//! | `runs` | a call of the first tool, or of `bash_code_execution`, with each fenced block of the question in turn; then the results |
//! | `tools:N` (1) | N tool calls at once, each about another city; once their results are there, the first of them |
//! | `thinking` | reasoning first, with its seal [`SEAL`]: a signature, encrypted content when it was asked for, a `thoughtSignature` on the first call or the last part; a chat has no seal. Then whatever else was named |
//! | `json` | a JSON object that fits the schema that was asked for, in the tool's arguments when a tool of Anthropic's was forced |
//! | `badjson`, `offjson` | text that is not JSON; a JSON object that fits no schema with properties |
//! | `long:N` (80) | N tokens of 16 KiB each |
//! | `usage` | eight tokens, and [`USAGE`] with cached, cache-written and reasoning tokens |
//!
//! A seal that is not the wall's own is refused with 400 by every model, as providers do; a model that thinks refuses
//! a tool call that comes back without its seal (Anthropic when `thinking` is on, Gemini always).

mod answer;
mod asked;
mod dialect;
pub mod embed;
pub mod fault;
mod play;
mod reason;
pub mod sandbox;
mod script;
mod stats;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::Notify;

pub use self::answer::{SEAL, THOUGHTS, USAGE, Usage};
pub use self::dialect::odd::{ODD, ODD_TEXT, ODD_WHOLE};
pub use self::dialect::rich;
pub use self::dialect::{Dialect, KEY};
use self::stats::Book;
pub use self::stats::{Call, End, Stats};
use crate::client::LIMIT;

/// A running wall; it ends with the process.
pub struct Wall {
    /// For example `http://127.0.0.1:4000/v1`: what a target's `base_url` is, but for Gemini: see [`Wall::base`].
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    start: Instant,
    book: Mutex<Book>,
    changed: Notify,
}

impl Wall {
    /// Starts a wall on a free port.
    pub async fn start() -> Result<Self, String> {
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| format!("the wall: {error}"))?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let shared = Shared { start: Instant::now(), book: Mutex::default(), changed: Notify::new() };
        let shared = Arc::new(shared);
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { url: format!("http://127.0.0.1:{port}/v1"), shared })
    }

    /// What a target's `base_url` is in this dialect.
    pub fn base(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Gemini => format!("{}beta", self.url),
            Dialect::Chat | Dialect::Responses | Dialect::Messages => self.url.clone(),
        }
    }

    /// How long the wall has run: what the times of a [`Call`] are told by.
    pub fn now(&self) -> Duration {
        self.shared.start.elapsed()
    }

    /// What a tag's calls did so far. The empty tag's `waiting_max` is over all tags.
    pub fn stats(&self, tag: &str) -> Stats {
        self.shared.book.lock().unwrap().tags.get(tag).cloned().unwrap_or_default()
    }

    /// The request bodies of a tag, in the order they came.
    pub fn bodies(&self, tag: &str) -> Vec<String> {
        self.stats(tag).list.into_iter().map(|call| call.body).collect()
    }

    /// What the scripted sandbox was asked with a tag, in the order it came.
    pub fn runs(&self, tag: &str) -> Vec<sandbox::Asked> {
        self.shared.book.lock().unwrap().runs.get(tag).cloned().unwrap_or_default()
    }

    /// Lets a tag's held call, and every later one, go on.
    pub fn release(&self, tag: &str) {
        self.shared.book.lock().unwrap().released.insert(tag.to_owned());
        self.shared.changed.notify_waiters();
    }

    /// Waits until a tag's calls look like this; the error says what they look like instead.
    pub async fn until(&self, tag: &str, wanted: impl Fn(&Stats) -> bool) -> Result<Stats, String> {
        let start = tokio::time::Instant::now();
        loop {
            let stats = self.stats(tag);
            if wanted(&stats) {
                return Ok(stats);
            }
            if start.elapsed() > LIMIT {
                return Err(format!("the wall never saw what was expected of {tag:?}: {stats:?}"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(play::connection(stream, Arc::clone(&shared)));
    }
}

impl Shared {
    async fn released(&self, tag: &str) {
        loop {
            let changed = self.changed.notified();
            if self.book.lock().unwrap().released.contains(tag) {
                return;
            }
            changed.await;
        }
    }
}
