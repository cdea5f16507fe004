//! Every port of the core in memory, on virtual time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use opencode_core::host::{
    Appended, Blobs, ByteStream, Cache, Caller, Clock, Closed, Counters, Entry, Held, Hold, Key, Logs,
    Message, Net, NetError, Overdue, Queue, Records, Rounds, Secrets, Settings, Spent, StoreError, Swap,
    Time, Versioned,
};
use opencode_core::identity::Tenant;
use opencode_core::ledger::reserve;
use opencode_core::op::{Blob, Op, Played};

use super::clock::Flag;
use super::upstream::{self, DIALECTS, Head, Pace, Step};
use super::world::{Attempt, World};
use crate::ports::generate::Random;

/// One handle: of a call, or of the schedule.
#[derive(Clone)]
pub struct SimHost {
    world: Rc<World>,
    call: Option<usize>,
    gone: Rc<Flag>,
    rounds: Rc<Cell<u32>>,
}

impl SimHost {
    /// The handle of a call, or of nobody.
    pub fn new(world: &Rc<World>, call: Option<usize>, gone: Rc<Flag>) -> Self {
        Self { world: Rc::clone(world), call, gone, rounds: Rc::default() }
    }

    /// Plays an operation after a while. A store that fails may have done it all the same.
    async fn play(&self, op: Op) -> Result<Played, StoreError> {
        self.rounds.set(self.rounds.get() + 1);
        let world = &self.world;
        world.clock.sleep([0, 0, 1, 3, 10][world.below(5) as usize]).await;
        let fails = world.flaky.get() && world.below(40) == 0;
        let done = !fails || world.below(2) == 0;
        let played = done.then(|| world.state.borrow_mut().stores.play(&op));
        if let Some(played) = &played {
            self.notice(&op, played);
        }
        world.clock.sleep([0, 0, 1, 3, 10][world.below(5) as usize]).await;
        match played {
            Some(played) if !fails => Ok(played),
            _ => {
                let kind = format!("{op:?}").split([' ', '(']).next().unwrap_or_default().to_owned();
                world.tell(self.call, || format!("the store fails: {kind}, done all the same: {done}"));
                if let (Some(call), Op::Append { .. }) = (self.call, &op) {
                    world.state.borrow_mut().calls[call].append_errors += 1;
                }
                Err(StoreError("the store is away".to_owned()))
            }
        }
    }

    fn notice(&self, op: &Op, played: &Played) {
        let world = &self.world;
        match (op, played) {
            (Op::Hold(hold), Played::Held(Held::Held)) => {
                world.tell(self.call, || format!("held: {}", hold.id));
                world.held(self.call, hold);
            }
            (Op::Hold(_), played) => world.tell(self.call, || format!("not held: {played:?}")),
            (Op::Close { id, spent }, Played::Closed(Closed::Closed)) => {
                world.tell(self.call, || format!("closed: {id}"));
                world.closed(id, spent);
            }
            (Op::Append { log, value, .. }, Played::Appended { new: true })
                if *log == reserve::receipts(log.tenant()) =>
            {
                match serde_json::from_slice(&value.0) {
                    Ok(receipt) => world.receipted(receipt),
                    Err(error) => world.breaks(self.call, format!("a receipt that cannot be read: {error}")),
                }
            }
            _ => {}
        }
    }
}

impl Clock for SimHost {
    fn now(&self) -> Time {
        Time(self.world.clock.now())
    }

    fn random(&self) -> u128 {
        let random = &mut self.world.state.borrow_mut().random;
        (u128::from(random.draw()) << 64) | u128::from(random.draw())
    }

    async fn sleep(&self, duration: Duration) {
        self.world.clock.sleep(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).await;
    }
}

impl Secrets for SimHost {
    fn secret(&self, name: &str) -> Option<String> {
        Some(format!("the secret {name}"))
    }
}

impl Settings for SimHost {
    async fn settings(&self) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }
}

impl Caller for SimHost {
    async fn gone(&self) {
        self.gone.wait().await;
    }
}

impl Rounds for SimHost {
    fn rounds(&self) -> u32 {
        self.rounds.get()
    }
}

impl Net for SimHost {
    type Body = Body;

    async fn fetch(&self, request: http::Request<Bytes>) -> Result<http::Response<Body>, NetError> {
        let world = &self.world;
        let attempt = self.send(&request)?;
        let script = Rc::clone(&world.state.borrow().attempts[attempt].script);
        let guard = Guard { world: Rc::clone(world), attempt };
        if script.head == Head::Silence {
            std::future::pending::<()>().await;
        }
        world.clock.sleep(script.head_after).await;
        let Head::Status(status, retry_after) = script.head else {
            return Err(NetError("the connection was refused".to_owned()));
        };
        let now = world.clock.now();
        world.state.borrow_mut().attempts[attempt].head = Some(now);
        world.tell(self.call, || format!("attempt {attempt}: status {status}, Retry-After {retry_after:?}"));
        let mut response = http::Response::new(Body { guard, due: now, at: 0, over: false });
        *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
        }
        Ok(response)
    }
}

impl SimHost {
    /// Notes an attempt, and what is wrong with its being sent now.
    fn send(&self, request: &http::Request<Bytes>) -> Result<usize, NetError> {
        let world = &self.world;
        let host = request.uri().host().unwrap_or_default();
        let target = host.strip_prefix('t').and_then(|rest| rest.strip_suffix(".sim")?.parse::<usize>().ok());
        let (Some(target), Some(call)) = (target.filter(|it| *it < world.targets.len()), self.call) else {
            world.breaks(self.call, format!("a request to nobody: {}", request.uri()));
            return Err(NetError("nobody is there".to_owned()));
        };
        let dialect = &DIALECTS[world.targets[target].dialect];
        let streamed = (dialect.streams)(request);
        if request.uri().path() != (dialect.path)(streamed) {
            world.breaks(self.call, format!("a wrong path: {}", request.uri()));
        }
        let (attempt, number) = {
            let attempts = &world.state.borrow().attempts;
            (attempts.len(), attempts.iter().filter(|other| other.call == call).count())
        };
        let seed = world.seed.wrapping_mul(1_000_003) ^ ((call as u64) << 32) ^ (number as u64 + 1);
        let pace = &bounded(&world.targets[target].pace, request.body());
        let tag = format!("c{call}a{number}");
        let script = Rc::new(upstream::script(dialect, streamed, &tag, pace, &mut Random::new(seed)));
        world.tell(self.call, || format!("attempt {attempt} to t{target}: it {}", script.name));
        super::check::sending(world, call, target);
        let sent = world.clock.now();
        world.state.borrow_mut().attempts.push(Attempt {
            call,
            number,
            target,
            script,
            sent,
            head: None,
            delivered: 0,
            last: sent,
            eof: false,
            content: None,
            over: None,
        });
        Ok(attempt)
    }
}

/// A provider keeps to the bound on its output: who goes on with an answer has less left than the caller allowed.
fn bounded(pace: &Pace, body: &[u8]) -> Pace {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let places =
        ["/max_tokens", "/max_completion_tokens", "/max_output_tokens", "/generationConfig/maxOutputTokens"];
    let bound = places.iter().find_map(|place| body.pointer(place)?.as_u64());
    Pace { most_output: bound.unwrap_or(u64::MAX).clamp(1, pace.most_output), ..pace.clone() }
}

/// An attempt that the provider works on until this is dropped.
struct Guard {
    world: Rc<World>,
    attempt: usize,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let now = self.world.clock.now();
        let call = {
            let attempt = &mut self.world.state.borrow_mut().attempts[self.attempt];
            if attempt.over.replace(now).is_some() {
                return;
            }
            attempt.call
        };
        self.world.tell(Some(call), || format!("attempt {}: dropped", self.attempt));
    }
}

/// The body of an attempt's response. The provider keeps its own time, however slowly it is read.
pub struct Body {
    guard: Guard,
    due: u64,
    at: usize,
    over: bool,
}

impl ByteStream for Body {
    async fn next(&mut self) -> Option<Result<Bytes, NetError>> {
        let world = Rc::clone(&self.guard.world);
        if self.over {
            return None;
        }
        let script = Rc::clone(&world.state.borrow().attempts[self.guard.attempt].script);
        let Some((after, step)) = script.steps.get(self.at) else {
            std::future::pending::<()>().await;
            return None;
        };
        world.clock.until(self.due.saturating_add(*after)).await;
        self.due = self.due.saturating_add(*after);
        self.at += 1;
        let now = world.clock.now();
        let mut state = world.state.borrow_mut();
        let attempt = &mut state.attempts[self.guard.attempt];
        attempt.last = now;
        let call = Some(attempt.call);
        match step {
            Step::Chunk(bytes) => {
                attempt.delivered += bytes.len();
                let came = script.came(attempt.delivered, false);
                let content = came.into_iter().any(|said| said.say.is_content());
                if content && attempt.content.is_none() {
                    attempt.content = Some(now);
                }
                drop(state);
                world.tell(call, || format!("attempt {}: {} bytes", self.guard.attempt, bytes.len()));
                Some(Ok(bytes.clone()))
            }
            Step::Eof => {
                (attempt.eof, attempt.over) = (true, Some(now));
                drop(state);
                world.tell(call, || format!("attempt {}: ends", self.guard.attempt));
                self.over = true;
                None
            }
            Step::Cut => {
                attempt.over = Some(now);
                drop(state);
                world.tell(call, || format!("attempt {}: is cut", self.guard.attempt));
                self.over = true;
                Some(Err(NetError("the connection was cut".to_owned())))
            }
        }
    }
}

macro_rules! played {
    ($host:ident, $op:expr, $pattern:pat => $value:expr) => {
        match $host.play($op).await? {
            $pattern => Ok($value),
            other => Err(StoreError(format!("the model answered {other:?}"))),
        }
    };
}

impl Cache for SimHost {
    async fn cached(&self, key: &Key, now: Time) -> Option<Bytes> {
        match self.play(Op::Cached { key: key.clone(), now }).await {
            Ok(Played::Value(value)) => value.map(|value| value.0),
            _ => None,
        }
    }

    async fn cache(&self, key: &Key, value: Bytes, expires: Time) {
        let _ = self.play(Op::Cache { key: key.clone(), value: Blob(value), expires }).await;
    }
}

impl Records for SimHost {
    async fn read(&self, key: &Key, now: Time) -> Result<Option<Versioned>, StoreError> {
        let versioned =
            |stored: opencode_core::op::Stored| Versioned { version: stored.version, value: stored.value.0 };
        played!(self, Op::Read { key: key.clone(), now }, Played::Record(found) => found.map(versioned))
    }

    async fn swap(
        &self,
        key: &Key,
        seen: u64,
        value: Bytes,
        expires: Option<Time>,
        now: Time,
    ) -> Result<Swap, StoreError> {
        match self.play(Op::Swap { key: key.clone(), seen, value: Blob(value), expires, now }).await? {
            Played::Swapped(version) => Ok(Swap::Done(version)),
            _ => Ok(Swap::Lost(self.read(key, now).await?)),
        }
    }
}

impl Counters for SimHost {
    async fn hold(&self, hold: &Hold) -> Result<Held, StoreError> {
        played!(self, Op::Hold(hold.clone()), Played::Held(held) => held)
    }

    async fn close(&self, id: &str, spent: &[Spent]) -> Result<Closed, StoreError> {
        let op = Op::Close { id: id.to_owned(), spent: spent.to_vec() };
        played!(self, op, Played::Closed(closed) => closed)
    }

    async fn overdue(&self, tenant: &Tenant, now: Time, limit: usize) -> Result<Vec<Overdue>, StoreError> {
        let op = Op::Overdue { tenant: tenant.clone(), now, limit };
        played!(self, op, Played::Overdue(overdue) => overdue)
    }
}

impl Logs for SimHost {
    async fn append(
        &self,
        log: &Key,
        id: &str,
        value: Bytes,
        expires: Option<Time>,
    ) -> Result<Appended, StoreError> {
        let op = Op::Append { log: log.clone(), id: id.to_owned(), value: Blob(value), expires };
        played!(self, op, Played::Appended { new } => if new { Appended::New } else { Appended::Already })
    }

    async fn scan(&self, log: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let op = Op::Scan { log: log.clone(), after: after.to_owned(), limit };
        let entry = |(id, value): (String, Blob)| Entry { id, value: value.0 };
        played!(self, op, Played::Entries(entries) => entries.into_iter().map(entry).collect())
    }
}

impl Blobs for SimHost {
    async fn put(&self, key: &Key, value: Bytes, expires: Time) -> Result<(), StoreError> {
        played!(self, Op::Put { key: key.clone(), value: Blob(value), expires }, Played::Done => ())
    }

    async fn get(&self, key: &Key, now: Time) -> Result<Option<Bytes>, StoreError> {
        let op = Op::Get { key: key.clone(), now };
        played!(self, op, Played::Value(value) => value.map(|value| value.0))
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        played!(self, Op::Remove { key: key.clone() }, Played::Done => ())
    }
}

impl Queue for SimHost {
    async fn enqueue(&self, message: &Message, _delay: Duration) -> Result<(), StoreError> {
        // Nothing here is detached.
        self.world.breaks(self.call, format!("a message nobody asked for: {message:?}"));
        Ok(())
    }

    async fn waiting(&self) -> Result<Option<u64>, StoreError> {
        Ok(Some(0))
    }
}
