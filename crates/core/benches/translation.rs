//! What one streamed token costs between the upstream's bytes and the caller's: cut out of the stream, read, and
//! written anew, or passed where both ends speak one dialect. `cargo xtask bench translation` holds it to its bound.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, Criterion, Throughput};
use opencode_core::api::voice::{Platform, Speaker, Voice};
use opencode_core::run::Began;
use opencode_core::wire::Dialect;
use opencode_core::wire::answer::Head;
use opencode_core::wire::dialect::Decoder;
use opencode_core::wire::sse::Splitter;
use rustix::time::{ClockId, clock_gettime};

/// Tokens of the streams that are timed.
const TOKENS: u16 = 256;

/// Streams as providers send them: what comes before the text, a token, and what comes after it.
const UPSTREAMS: [(&str, Dialect, &str); 4] = [
    ("openai", Dialect::OpenAi, include_str!("streams/openai.txt")),
    ("responses", Dialect::Responses, include_str!("streams/responses.txt")),
    ("anthropic", Dialect::Anthropic, include_str!("streams/anthropic.txt")),
    ("gemini", Dialect::Gemini, include_str!("streams/gemini.txt")),
];

fn main() {
    let times = Criterion::default().with_measurement(CpuTime).warm_up_time(Duration::from_millis(500));
    let mut criterion = times.measurement_time(Duration::from_secs(2)).configure_from_args();
    let mut group = criterion.benchmark_group("translation");
    group.throughput(Throughput::Elements(u64::from(TOKENS)));
    for (from, upstream, stream) in UPSTREAMS {
        let stream = Stream::read(upstream, stream);
        let callers = UPSTREAMS.map(|(to, caller, _)| (to, Some(caller))).into_iter();
        for (to, caller) in callers.chain([("platform", None)]) {
            check(&stream, caller);
            group.bench_function(format!("{from}-to-{to}"), |bencher| {
                bencher.iter_batched_ref(
                    || stream.begun(caller),
                    |answer| stream.tokens.iter().for_each(|token| drop(black_box(answer.hand_on(token)))),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
    criterion.final_summary();
}

/// The thread's processor time: what others do on the machine does not count.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::try_from(now).expect("time since the thread began")
    }

    fn end(&self, start: Duration) -> Duration {
        self.start() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

struct Stream {
    upstream: Dialect,
    opening: Bytes,
    tokens: Vec<Bytes>,
}

/// One answer on its way.
struct Answer {
    splitter: Splitter,
    decoder: Decoder,
    voice: Voice,
}

impl Stream {
    fn read(upstream: Dialect, text: &str) -> Self {
        // Gemini ends its lines as HTTP does.
        let text = if upstream == Dialect::Gemini { text.replace('\n', "\r\n") } else { text.to_owned() };
        let (opening, rest) = text.split_once("=== token").expect("a token");
        let (token, _) = rest.trim_start().split_once("=== end").expect("an end");
        let tokens = (0..TOKENS).map(|number| token.replace("TOKEN", &word(number)).into()).collect();
        Self { upstream, opening: opening.to_owned().into(), tokens }
    }

    /// An answer whose first token is gone: what comes before the text is written with it.
    fn begun(&self, caller: Option<Dialect>) -> Answer {
        let mut voice = match caller {
            Some(dialect) => Voice::Speaker(Box::new(Speaker::new(dialect, true, Head::default()))),
            None => Voice::Platform(Platform::new("trace", "chat")),
        };
        voice.began(&Began { dialect: self.upstream, ..Began::default() });
        let mut answer = Answer { splitter: Splitter::default(), decoder: self.upstream.decoder(), voice };
        answer.hand_on(&self.opening);
        answer.hand_on(&self.tokens[0]);
        answer
    }
}

impl Answer {
    fn hand_on(&mut self, chunk: &[u8]) -> Vec<Bytes> {
        let frames = self.splitter.push(chunk).expect("short frames");
        frames.into_iter().map(|bytes| self.voice.frames(&[self.decoder.decode(bytes)])).collect()
    }
}

fn word(number: u16) -> String {
    format!(" word{number}")
}

/// What is lost is cheap: every token must come out.
fn check(stream: &Stream, caller: Option<Dialect>) {
    let mut answer = stream.begun(caller);
    for (number, token) in (0..TOKENS).zip(&stream.tokens) {
        let out = answer.hand_on(token).concat();
        assert!(String::from_utf8_lossy(&out).contains(&word(number)), "token {number} for {caller:?}");
    }
}
