//! Runs one `Call`: it asks, the host does. The one loop where an answer waits.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures::future::{self, Either};
use futures::{Stream, StreamExt, stream};
use http::Request;

use crate::call::{AttemptReport, Call, Ended, Fate, Input, Plan, Shape, Step};
use crate::error::Error;
use crate::host::{ByteStream, Host, Net};
use crate::route::Target;
use crate::snapshot::Snapshot;
use crate::trace::Trace;
use crate::wire::prompt::Prompt;
use crate::wire::{Frame, openai};

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
}

/// What comes of a question.
pub enum Driven {
    /// Frames of the answer. The first of them are the commit point.
    Frames {
        /// The target's place in `Question::targets`.
        target: usize,
        /// Whole frames.
        frames: Vec<Frame>,
    },
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
    let Question { prompt, targets, plan, trace } = question;
    let now = host.now();
    let order = admitted(&snapshot, &targets, now);
    let shape = plan.shape;
    let call = Call::new(Plan { targets: order.len(), ..plan }, now);
    let starter = host.clone();
    let start = move |attempt: usize, request: Result<Request<Bytes>, Error>| {
        Box::pin(inputs(starter.clone(), attempt, request))
    };
    let asked = Asked { prompt, targets, order, shape, trace };
    let driver = Box::new(Driver { host, snapshot, asked, call, running: Vec::new(), start, over: false });
    // The state is boxed: it would be moved with every item.
    stream::unfold(driver, |mut driver| async move { driver.next().await.map(|driven| (driven, driver)) })
}

/// The targets' places in the order in which they are asked: those whose breaker is open come last.
fn admitted(snapshot: &Snapshot, targets: &[Target], now: crate::host::Time) -> Vec<usize> {
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
}

struct Driver<H, S, F> {
    host: H,
    snapshot: Arc<Snapshot>,
    asked: Asked,
    call: Call,
    running: Vec<(usize, Pin<Box<S>>)>,
    start: F,
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
                Step::Emit { attempt, frames } => {
                    return Some(Driven::Frames { target: self.place_of_attempt(attempt), frames });
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
        let running = &mut self.running;
        let said = pin!(future::poll_fn(|context| {
            for (_, attempt) in running.iter_mut() {
                if let Poll::Ready(Some(input)) = attempt.poll_next_unpin(context) {
                    return Poll::Ready(input);
                }
            }
            Poll::Pending
        }));
        let gone = pin!(self.host.gone());
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
            openai::request(target, &self.asked.prompt, self.asked.shape, credential.as_deref())?;
        self.asked.trace.write(request.headers_mut(), self.host.random());
        Ok(request)
    }

    /// The reports name targets by their places in the question; each also teaches its breaker.
    fn reports(&self) -> Vec<AttemptReport> {
        let now = self.host.now();
        let mut reports = self.call.reports();
        let mut breakers = self.snapshot.breakers();
        for report in &mut reports {
            let Some((place, target)) = self.asked.target(report.target) else { continue };
            match report.fate {
                Fate::Answered | Fate::Refused => breakers.note(&target.name, true, now),
                Fate::Failed | Fate::Timeout => breakers.note(&target.name, false, now),
                Fate::Running | Fate::Lost | Fate::Left => {}
            }
            report.target = place;
        }
        reports
    }

    fn place_of_attempt(&self, attempt: usize) -> usize {
        let planned = self.call.target(attempt).unwrap_or(0);
        self.asked.target(planned).map_or(0, |(place, _)| place)
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
                    let header = response.headers().get(http::header::RETRY_AFTER);
                    let retry_after = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
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

enum Phase<H: Net> {
    Send(H, Box<Request<Bytes>>),
    Read(H::Body),
    Fail(Error),
    Over,
}
