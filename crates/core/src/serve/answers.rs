//! The answering routes: a run's sayings, written as the caller's response.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::Either;
use futures::{Stream, StreamExt, stream};
use http::Response;
use serde_json::json;

use super::streams::{self, Keeping};
use super::{Asking, Reply};
use crate::api::answer::{self, Asked, Options};
use crate::api::response::{self, json_of};
use crate::api::voice::{Voice, failure};
use crate::api::{self, Handler, Surface, platform};
use crate::call::Ended;
use crate::error::Error;
use crate::host::{Host, Time};
use crate::identity::Identity;
use crate::ledger::receipt::millis;
use crate::ledger::reserve;
use crate::modes::Program;
use crate::resume;
use crate::run::{self, Began, Final, Job, Said};
use crate::snapshot::Snapshot;
use crate::trace;
use crate::wire::json::Members;
use crate::wire::{Dialect, anthropic, openai};

/// The routes of the dialects, `/v1/embeddings`, `/api/v1/chat` and `/api/v1/chat/stream`. `model` is what the path
/// names, where it does.
pub async fn answer<H: Host>(
    host: H,
    snapshot: Arc<Snapshot>,
    identity: Identity,
    asking: Asking,
    handler: Handler,
    model: &str,
) -> Result<Response<Reply<impl Stream<Item = Bytes> + use<H>>>, Error> {
    answer::check_json(&asking.headers)?;
    let config = snapshot.config();
    let flags = config.flags(&identity.tenant);
    let options = Options::read(config, &identity.tenant, &flags, &asking.headers)?;
    let surface = api::surface(asking.uri.path());
    let trace = asking.trace.id();
    let asked = match (handler, own(handler)) {
        (_, Some((dialect, stream))) => {
            if handler == Handler::GenerateStream {
                check_alt(asking.uri.query())?;
            }
            let id = trace::id(asking.now, host.random());
            let model = (dialect == Dialect::Gemini).then_some(model);
            let request = answer::Request { dialect, body: &asking.body, model, stream };
            answer::asked(config, &options, &flags, &request, &id, asking.now)?
        }
        (Handler::Embeddings, None) => answer::embeddings(config, &asking.body)?,
        _ => {
            let stream = handler == Handler::ChatStream;
            platform::read(&asking.body)?.asked(config, &options, &flags, stream, trace)?
        }
    };
    let Asked { mut program, targets, passed, stream, shape, mut voice, notice, format, extras } = asked;
    if matches!(program, Program::Code(_)) {
        config.code(&identity.tenant)?;
    }
    let (resumable, continuation) = extras.settle(options.extras, &flags, stream)?;
    let keeping = match resumable {
        true => Some(keeping(&host, &snapshot, &identity, &asking, &voice).await?),
        false => None,
    };
    if reserve::is_budgeted(config, &identity.tenant) {
        program.bound_output(reserve::DEFAULT_OUTPUT);
    }
    let continuation = continuation && program.can_be_continued();
    if continuation {
        voice.rewrite();
    }
    let bound = flags.thinking.filter(|_| matches!(program, Program::Thinking(_)));
    // Embeddings are not kept, nor is what code has computed.
    let cache = options.cache.is_some()
        && handler != Handler::Embeddings
        && !matches!(program, Program::Interpreter(_));
    let trace = trace.to_owned();
    let job = Job {
        identity,
        trace: asking.trace,
        program,
        targets: targets.into(),
        passed,
        shape,
        format,
        hedge: options.hedge,
        cache: cache.then_some(options.cache).flatten(),
        bound,
        started: asking.now,
        keeps: !stream || voice.dialect().is_none(),
        detached: resumable,
        continuation,
        rewritten: voice.rewritten(stream),
    };
    let keeper = host.clone();
    let clock = host.clone();
    let debug = config.debug;
    let said = Box::pin(run::inline(host, snapshot, job));
    let answer = Answer { said, voice, began: asking.now, trace, cache, debug };
    let mut response = if stream {
        let response = answer.streamed(clock, surface).await?;
        kept(response, keeper, keeping)
    } else {
        answer.whole(&clock, surface).await?
    };
    if let Some(notice) = notice {
        response::set(response.headers_mut(), response::NOTICE, notice);
    }
    Ok(response)
}

/// Whether what a route gives is an answer.
pub fn is_answer(handler: Handler) -> bool {
    let platform = matches!(handler, Handler::Chat | Handler::ChatStream | Handler::Embeddings);
    platform || own(handler).is_some()
}

/// Makes room for an answer that can be taken up again.
async fn keeping<H: Host>(
    host: &H,
    snapshot: &Snapshot,
    identity: &Identity,
    asking: &Asking,
    voice: &Voice,
) -> Result<Keeping, Error> {
    let deadlines = &snapshot.config().deadlines;
    let longest = Duration::from_millis(deadlines.whole_ms.saturating_add(deadlines.grace_ms));
    let head = resume::Head {
        user: identity.key.clone(),
        dialect: voice.dialect(),
        trace: asking.trace.id().to_owned(),
        until: asking.now.plus(longest),
    };
    streams::begin(host, trace::id(asking.now, host.random()), &identity.tenant, head).await
}

/// A stream that is kept on its way, where it is to be.
fn kept<H: Host, S: Stream<Item = Bytes>>(
    response: Response<Reply<S>>,
    host: H,
    keeping: Option<Keeping>,
) -> Response<Reply<impl Stream<Item = Bytes> + use<H, S>>> {
    let (mut parts, reply) = response.into_parts();
    let reply = match (reply, keeping) {
        (Reply::Whole(bytes), _) => Reply::Whole(bytes),
        (Reply::Stream(said), None) => Reply::Stream(Either::Left(said)),
        (Reply::Stream(said), Some(keeping)) => {
            response::set(&mut parts.headers, response::STREAM, &keeping.id);
            Reply::Stream(Either::Right(streams::keep(host, keeping, said)))
        }
    };
    Response::from_parts(parts, reply)
}

/// The dialect of a route, and whether it streams, where the route decides.
fn own(handler: Handler) -> Option<(Dialect, Option<bool>)> {
    Some(match handler {
        Handler::Completions => (Dialect::OpenAi, None),
        Handler::Responses => (Dialect::Responses, None),
        Handler::Messages => (Dialect::Anthropic, None),
        Handler::Generate => (Dialect::Gemini, Some(false)),
        Handler::GenerateStream => (Dialect::Gemini, Some(true)),
        _ => return None,
    })
}

/// Without `alt=sse` Gemini streams a JSON array, which cannot say that it broke off.
fn check_alt(query: Option<&str>) -> Result<(), Error> {
    if query.unwrap_or_default().split('&').any(|pair| pair == "alt=sse") {
        return Ok(());
    }
    Err(Error::invalid("add `?alt=sse`: a stream comes as server-sent events only").at("alt"))
}

/// `POST /v1/messages/count_tokens`.
pub fn count_tokens(asking: &Asking) -> Result<Response<Bytes>, Error> {
    answer::check_json(&asking.headers)?;
    let mut response = json_of(200, &anthropic::token_count(answer::count(&asking.body)?));
    response::set(response.headers_mut(), response::NOTICE, "estimated");
    Ok(response)
}

struct Answer<S> {
    said: Pin<Box<S>>,
    voice: Voice,
    began: Time,
    trace: String,
    cache: bool,
    debug: bool,
}

impl<S: Stream<Item = Said>> Answer<S> {
    /// The head waits for the first thing that is said, so that a failure before it has a status of its own.
    async fn streamed<H: Host>(
        mut self,
        clock: H,
        surface: Surface,
    ) -> Result<Response<Reply<impl Stream<Item = Bytes> + use<H, S>>>, Error> {
        let first = self.said.next().await.ok_or_else(run::unanswered)?;
        if let Said::Ended(last) = &first
            && let Some(response) = self.refused(last, surface)
        {
            return Ok(response.map(Reply::Whole));
        }
        let began = match &first {
            Said::Began(began) => Some(began.clone()),
            _ => None,
        };
        let head = self.voice.start();
        let writing =
            Box::new(Writing { answer: self, clock, next: Some(first), head: Some(head), over: false });
        let (cache, debug) = (writing.answer.cache, writing.answer.debug);
        let body = stream::unfold(writing, |mut it| async move { it.next().await.map(|bytes| (bytes, it)) });
        let mut response = response::event_stream(Reply::Stream(body));
        label(response.headers_mut(), began.as_ref(), cache, debug);
        Ok(response)
    }

    async fn whole<H: Host, T>(mut self, clock: &H, surface: Surface) -> Result<Response<Reply<T>>, Error> {
        let mut began = None;
        let mut events = Vec::new();
        let mut bytes = Bytes::new();
        while let Some(said) = self.said.next().await {
            match said {
                Said::Progress { step, done } => {
                    let data = json!({"step": step, "status": if done { "end" } else { "start" }});
                    events.push(json!({"type": "progress", "data": data, "timestamp": clock.now().0}));
                }
                Said::Event { name, data } => {
                    events.push(json!({"type": name, "data": data, "timestamp": clock.now().0}));
                }
                Said::Began(who) => {
                    self.voice.began(&who);
                    began = Some(who);
                }
                Said::Continued(_) => {}
                Said::Frames(frames) => bytes = frames.into_iter().next().map_or(bytes, |frame| frame.bytes),
                Said::Ended(last) => {
                    if let Some(response) = self.refused(&last, surface) {
                        return Ok(response.map(Reply::Whole));
                    }
                    let time = millis(clock.now(), self.began);
                    let body = self.voice.whole(&last, bytes, events, time);
                    let mut response = response::whole(200, "application/json", body);
                    label(response.headers_mut(), began.as_ref(), self.cache, self.debug);
                    tried(response.headers_mut(), &last.tried);
                    return Ok(response.map(Reply::Whole));
                }
            }
        }
        Err(run::unanswered())
    }

    /// The response to an answer that failed before it began. A provider's own refusal reaches a caller of its
    /// dialect as it is.
    fn refused(&self, last: &Final, surface: Surface) -> Option<Response<Bytes>> {
        let error = match (&last.ended, failure(last)) {
            (Ended::Left, _) => run::unanswered(),
            (_, Some(error)) => error,
            (_, None) => return None,
        };
        let refusal = match &last.ended {
            Ended::Refused { dialect, status, body } if self.voice.passes(*dialect) => {
                let body = match dialect {
                    Dialect::OpenAi | Dialect::Responses => openai::traced(body, &self.trace),
                    Dialect::Anthropic | Dialect::Gemini => Members::parse(body).ok().map(|_| body.clone()),
                };
                body.map(|body| response::whole(*status, "application/json", body))
            }
            _ => None,
        };
        let mut response = refusal.unwrap_or_else(|| response::error(surface, &error, &self.trace));
        tried(response.headers_mut(), &last.tried);
        Some(response)
    }
}

/// An answer on its way out.
struct Writing<H, S> {
    answer: Answer<S>,
    clock: H,
    next: Option<Said>,
    head: Option<Bytes>,
    over: bool,
}

impl<H: Host, S: Stream<Item = Said>> Writing<H, S> {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(head) = self.head.take()
                && !head.is_empty()
            {
                return Some(head);
            }
            if self.over {
                return None;
            }
            let said = match self.next.take() {
                Some(said) => said,
                None => self.answer.said.next().await?,
            };
            let bytes = self.write(said);
            if !bytes.is_empty() {
                return Some(bytes);
            }
        }
    }

    fn write(&mut self, said: Said) -> Bytes {
        let voice = &mut self.answer.voice;
        match said {
            Said::Progress { step, done } => voice.progress(step, done),
            Said::Event { name, data } => voice.event(name, &data),
            Said::Began(began) => {
                voice.began(&began);
                Bytes::new()
            }
            Said::Continued(continued) => voice.continued(&continued),
            Said::Frames(frames) => voice.frames(&frames),
            Said::Ended(last) => {
                self.over = true;
                voice.tail(&last, &self.answer.trace, millis(self.clock.now(), self.answer.began))
            }
        }
    }
}

fn tried(headers: &mut http::HeaderMap, tried: &[String]) {
    if !tried.is_empty() {
        response::set(headers, response::TRIED, &tried.join(", "));
    }
}

fn label(headers: &mut http::HeaderMap, began: Option<&Began>, cache: bool, debug: bool) {
    let Some(began) = began else { return };
    response::set(headers, response::TARGET, &began.target);
    tried(headers, &began.tried);
    if cache {
        response::set(headers, response::CACHE, if began.cached { "hit" } else { "miss" });
    }
    if debug {
        response::set(headers, response::ROUNDS, &began.rounds.to_string());
    }
}
