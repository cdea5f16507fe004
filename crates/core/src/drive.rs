//! Runs one `Call`: it asks, the host does. The one loop where an answer waits.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures::future::{self, Either};
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, Request};

use crate::call::{AttemptReport, Call, Ended, Fate, Input, Plan, Planned, Shape, Step};
use crate::error::Error;
use crate::host::{ByteStream, Host, Net, Time};
use crate::route::Target;
use crate::snapshot::Snapshot;
use crate::trace::Trace;
use crate::wire::prompt::Prompt;
use crate::wire::{Frame, json, request};

/// One question and where it may be asked.
pub struct Question {
    /// What is asked.
    pub prompt: Prompt,
    /// In order. Not empty.
    pub targets: Arc<[Target]>,
    /// Phases and bounds; `targets` of it is set here.
    pub plan: Plan,
    /// Passed on with every attempt.
    pub trace: Trace,
    /// Whether it goes on when its caller has left.
    pub detached: bool,
}

/// What comes of a question.
pub enum Driven {
    /// The commit point: nothing can fail over any more.
    Began {
        /// Who answers: its place in `Question::targets`.
        target: usize,
        /// Every attempt so far.
        reports: Vec<AttemptReport>,
    },
    /// Whole frames of the answer.
    Frames(Vec<Frame>),
    /// The end; nothing follows.
    Ended {
        /// How.
        ended: Ended,
        /// Every attempt.
        reports: Vec<AttemptReport>,
    },
}

/// Asks. Dropping the stream aborts what runs upstream.
pub fn drive<H: Host>(
    host: H,
    snapshot: Arc<Snapshot>,
    question: Question,
) -> impl Stream<Item = Driven> + use<H> {
    let Question { prompt, targets, plan, trace, detached } = question;
    let now = host.now();
    let order = admitted(&snapshot, &targets, now);
    let shape = plan.shape;
    let known = |place: &usize| {
        let target = targets.get(*place)?;
        Some(Planned { dialect: prompt.spoken(target.dialect), context: target.context })
    };
    let planned = order.iter().map(|place| known(place).unwrap_or_default()).collect();
    // SplitMix64 wants 64 bits.
    let seed = host.random() as u64;
    let call = Call::new(Plan { targets: planned, seed, ..plan }, now);
    let starter = host.clone();
    let start = move |attempt: usize, request: Result<Request<Bytes>, Error>| {
        Box::pin(inputs(starter.clone(), attempt, request))
    };
    let asked = Asked { prompt, targets, order, shape, trace, detached };
    let driver = Box::new(Driver {
        begun: Vec::new(),
        host,
        snapshot,
        asked,
        call,
        running: Vec::new(),
        start,
        first: None,
        began: false,
        over: false,
    });
    // The state is boxed: it would be moved with every item.
    stream::unfold(driver, |mut driver| async move { driver.next().await.map(|driven| (driven, driver)) })
}

/// The targets' places in the order in which they are asked: those whose breaker is open come last.
fn admitted(snapshot: &Snapshot, targets: &[Target], now: Time) -> Vec<usize> {
    let mut breakers = snapshot.breakers();
    let numbered = targets.iter().enumerate();
    let (closed, open): (Vec<_>, Vec<_>) =
        numbered.partition(|(_, target)| breakers.admits(&target.name, now));
    closed.into_iter().chain(open).map(|(place, _)| place).collect()
}

struct Asked {
    prompt: Prompt,
    targets: Arc<[Target]>,
    /// The place of each in `targets`, in the order of the plan.
    order: Vec<usize>,
    shape: Shape,
    trace: Trace,
    detached: bool,
}

struct Driver<H, S, F> {
    host: H,
    snapshot: Arc<Snapshot>,
    asked: Asked,
    call: Call,
    running: Vec<(usize, Pin<Box<S>>)>,
    /// The attempts whose requests were begun: one that is given up before is none.
    begun: Vec<usize>,
    start: F,
    /// Frames that wait until the beginning was said.
    first: Option<Vec<Frame>>,
    began: bool,
    over: bool,
}

impl Asked {
    /// A target of the plan, with its place in the question.
    fn target(&self, planned: usize) -> Option<(usize, &Target)> {
        let place = *self.order.get(planned)?;
        Some((place, self.targets.get(place)?))
    }
}

impl<H, S, F> Driver<H, S, F>
where
    H: Host,
    S: Stream<Item = Input>,
    F: Fn(usize, Result<Request<Bytes>, Error>) -> Pin<Box<S>>,
{
    async fn next(&mut self) -> Option<Driven> {
        if let Some(frames) = self.first.take() {
            return Some(Driven::Frames(frames));
        }
        if self.over {
            return None;
        }
        loop {
            let Some(step) = self.call.next_step() else {
                let input = self.wait().await;
                self.call.handle(input, self.host.now());
                continue;
            };
            match step {
                Step::Send { attempt, target } => {
                    let request = self.request(target);
                    self.running.push((attempt, (self.start)(attempt, request)));
                }
                Step::Cancel(attempt) => self.running.retain(|(running, _)| *running != attempt),
                Step::Emit { frames, .. } if self.began => return Some(Driven::Frames(frames)),
                Step::Emit { attempt, frames } => {
                    self.began = true;
                    self.first = Some(frames);
                    let planned = self.call.target(attempt).unwrap_or(0);
                    let target = self.asked.target(planned).map_or(0, |(place, _)| place);
                    return Some(Driven::Began { target, reports: self.placed(self.call.reports()) });
                }
                Step::End(ended) => {
                    self.over = true;
                    self.running.clear();
                    return Some(Driven::Ended { ended, reports: self.reports() });
                }
            }
        }
    }

    /// What happens first: the caller leaves, an attempt says something, a bound passes.
    async fn wait(&mut self) -> Input {
        let due = self.call.timeout().map(|due| due.since(self.host.now()));
        let (running, begun) = (&mut self.running, &mut self.begun);
        let said = pin!(future::poll_fn(|context| {
            for (number, attempt) in running.iter_mut() {
                if !begun.contains(number) {
                    begun.push(*number);
                }
                if let Poll::Ready(Some(input)) = attempt.poll_next_unpin(context) {
                    return Poll::Ready(input);
                }
            }
            Poll::Pending
        }));
        let gone = pin!(async {
            match self.asked.detached {
                true => future::pending().await,
                false => self.host.gone().await,
            }
        });
        let late = pin!(async {
            match due {
                Some(due) => self.host.sleep(due).await,
                None => future::pending().await,
            }
        });
        match future::select(gone, future::select(said, late)).await {
            Either::Left(_) => Input::Gone,
            Either::Right((Either::Left((input, _)), _)) => input,
            Either::Right((Either::Right(_), _)) => Input::Timeout,
        }
    }

    fn request(&self, target: usize) -> Result<Request<Bytes>, Error> {
        let Some((_, target)) = self.asked.target(target) else {
            return Err(Error::new(crate::error::Kind::Internal, "no such target"));
        };
        let secret = target.secret.as_deref();
        let credential = secret.and_then(|name| self.host.secret(name));
        if let (Some(name), None) = (secret, &credential) {
            let detail = format!("the secret {name} of target {} is not set", target.provider);
            return Err(Error::new(crate::error::Kind::Internal, detail));
        }
        let mut request =
            request::request(target, &self.asked.prompt, self.asked.shape, credential.as_deref())?;
        self.asked.trace.write(request.headers_mut(), self.host.random());
        Ok(request)
    }

    /// The last reports; each teaches its target's breaker.
    fn reports(&self) -> Vec<AttemptReport> {
        let now = self.host.now();
        let mut number = 0_usize..;
        let mut reports = self.call.reports();
        reports.retain(|_| number.next().is_some_and(|number| self.begun.contains(&number)));
        let mut breakers = self.snapshot.breakers();
        for report in &reports {
            let Some((_, target)) = self.asked.target(report.target) else { continue };
            match report.fate {
                Fate::Answered | Fate::Refused => breakers.note(&target.name, true, now),
                Fate::Failed | Fate::Timeout => breakers.note(&target.name, false, now),
                Fate::Running | Fate::Lost | Fate::Left => {}
            }
        }
        drop(breakers);
        self.placed(reports)
    }

    /// Reports that name targets by their places in the question.
    fn placed(&self, mut reports: Vec<AttemptReport>) -> Vec<AttemptReport> {
        for report in &mut reports {
            report.target = self.asked.target(report.target).map_or(report.target, |(place, _)| place);
        }
        reports
    }
}

/// One attempt as a stream of inputs; dropping it aborts the request.
fn inputs<H: Host>(
    host: H,
    attempt: usize,
    request: Result<Request<Bytes>, Error>,
) -> impl Stream<Item = Input> + use<H> {
    let phase = match request {
        Ok(request) => Phase::Send(host, Box::new(request)),
        Err(error) => Phase::<H>::Fail(error),
    };
    let inputs = stream::unfold(phase, move |phase| async move {
        match phase {
            Phase::Send(host, request) => Some(match host.fetch(*request).await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let retry_after = retry_after(response.headers(), host.now());
                    (Input::Head { attempt, status, retry_after }, Phase::Read(response.into_body()))
                }
                Err(error) => (Input::Broken { attempt, error }, Phase::Over),
            }),
            Phase::Read(mut body) => Some(match body.next().await {
                Some(Ok(bytes)) => (Input::Chunk { attempt, bytes }, Phase::Read(body)),
                Some(Err(error)) => (Input::Broken { attempt, error }, Phase::Over),
                None => (Input::End { attempt }, Phase::Over),
            }),
            Phase::Fail(error) => {
                let error = crate::host::NetError(error.detail);
                Some((Input::Broken { attempt, error }, Phase::Over))
            }
            Phase::Over => None,
        }
    });
    // The driver polls an attempt that has ended until its call ends too.
    inputs.fuse()
}

/// When a provider wants to be asked again: in milliseconds (OpenAI, Azure), in seconds, or at a time (RFC 9110,
/// section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let whole = |text: &str| text.parse::<u64>().ok().map(|number| number as f64);
    let number = |text: &str| whole(text).or_else(|| json::number(text)).filter(|it| (0.0..1e9).contains(it));
    if let Some(millis) = text("retry-after-ms").and_then(number) {
        return Some(Duration::from_secs_f64(millis / 1e3));
    }
    let text = text("retry-after")?;
    if let Some(seconds) = number(text) {
        return Some(Duration::from_secs_f64(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(at.saturating_sub(Duration::from_millis(now.0)))
}

enum Phase<H: Net> {
    Send(H, Box<Request<Bytes>>),
    Read(H::Body),
    Fail(Error),
    Over,
}
