//! The side of those who come back: what they have not read yet, as it is kept.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use http::Response;

use crate::api::response::{STREAM, event_stream, problem, set};
use crate::error::{Error, Kind};
use crate::host::{Host, Key, Time};
use crate::identity::Identity;
use crate::resume::{self, After, ENDED, HEAD, Head, KEEP, Replay};
use crate::serve::pace::Pace;
use crate::serve::{Asking, Reply};
use crate::trace;
use crate::wire::answer::Head as Envelope;
use crate::wire::sse;

/// Between two looks, at most.
const LOOK: Duration = Duration::from_secs(1);
/// How many segments one look reads.
const PAGE: usize = 100;
/// How often in a row the log may fail to be read.
const TRIES: u32 = 3;
/// How long after its owner's time an answer that did not end is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// `GET /v1/streams/{id}`: the events after `Last-Event-ID`, or after the query's `starting_after`. A caller follows for
/// `longest`, which is no longer than the host lets a request live.
pub async fn stream<H: Host>(
    host: H,
    identity: Identity,
    asking: &Asking,
    longest: Duration,
    id: &str,
) -> Result<Response<Reply<impl Stream<Item = Bytes> + use<H>>>, Error> {
    let header = asking.headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
    let query = asking.uri.query().unwrap_or_default();
    let after = After::event(header.or(value(query, "starting_after")))?;
    let id = if trace::time_of(id).is_some() && id.len() == 26 { id } else { return Err(none()) };
    follow(host, identity, id.to_owned(), after, longest).await
}

/// `GET /v1/responses/{id}?stream=true&starting_after=N`: the events after the one whose `sequence_number` is N.
pub async fn answer<H: Host>(
    host: H,
    identity: Identity,
    asking: &Asking,
    longest: Duration,
    response: &str,
) -> Result<Response<Reply<impl Stream<Item = Bytes> + use<H>>>, Error> {
    let query = asking.uri.query().unwrap_or_default();
    if value(query, "stream") != Some("true") {
        let detail = "answers are kept as streams only: add `?stream=true`";
        return Err(Error::invalid(detail).at("stream"));
    }
    let after = After::sequence(value(query, "starting_after"))?;
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if response.len() > 128 || !response.bytes().all(sound) {
        return Err(none());
    }
    let key = resume::of_response(&identity.tenant, response);
    let id = host.read(&key, host.now()).await?.ok_or_else(none)?.value;
    let id = String::from_utf8_lossy(&id).into_owned();
    follow(host, identity, id, after, longest).await
}

async fn follow<H: Host>(
    host: H,
    identity: Identity,
    id: String,
    after: After,
    longest: Duration,
) -> Result<Response<Reply<impl Stream<Item = Bytes> + use<H>>>, Error> {
    let log = resume::log(&identity.tenant, &id);
    let first = host.scan(&log, "", 2).await?;
    let head = first.first().filter(|entry| entry.id == HEAD).and_then(|entry| Head::read(&entry.value));
    let head =
        head.filter(|head| head.user == identity.key && host.now() < head.expires()).ok_or_else(none)?;
    let ended = first.get(1).filter(|entry| entry.id == ENDED).and_then(|entry| resume::ended(&entry.value));
    let mut follow = Box::new(Follow {
        ended,
        entry: after.entry(),
        replay: Replay::new(after),
        more: false,
        ready: VecDeque::new(),
        pace: Pace::new(LOOK),
        over: false,
        failed: 0,
        until: host.now().plus(longest),
        host,
        log,
        head,
    });
    // The first look decides whether there still is an answer to take up.
    follow.look().await?;
    if follow.entry == after.entry() {
        // Nothing there yet, or nothing more: what is there from the start says which.
        follow.entry = After::Start.entry();
        follow.look().await?;
    }
    if follow.is_late() {
        return Err(none());
    }
    let body = stream::unfold(follow, |mut it| async move { it.next().await.map(|bytes| (bytes, it)) });
    let mut response = event_stream(Reply::Stream(body));
    set(response.headers_mut(), STREAM, &id);
    Ok(response)
}

struct Follow<H> {
    host: H,
    log: Key,
    head: Head,
    replay: Replay,
    /// When the answer ended, if it had before this caller came.
    ended: Option<Time>,
    /// The last entry that was read.
    entry: String,
    /// Whether the last look read all that it could at once.
    more: bool,
    ready: VecDeque<Bytes>,
    pace: Pace,
    over: bool,
    /// How often in a row the log could not be read.
    failed: u32,
    /// How long this caller follows.
    until: Time,
}

impl<H: Host> Follow<H> {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.pace.found();
                return Some(bytes);
            }
            if self.over {
                return None;
            }
            if self.replay.mark.lost {
                return Some(self.fail("the rest of this answer could not be kept"));
            }
            if self.replay.mark.ended.is_some() {
                return None;
            }
            if self.is_late() {
                return Some(
                    self.fail("the ten minutes are over in which this answer can be taken up again"),
                );
            }
            if !self.more {
                if self.host.now() >= self.head.until.plus(GRACE) {
                    return Some(self.fail("the answer broke off: whoever gave it has died"));
                }
                if self.host.now() >= self.until {
                    return Some(
                        self.fail("the answer goes on: take it up again after the last event that was read"),
                    );
                }
                if self.pace.caller_left(&self.host).await {
                    return None;
                }
            }
            match self.look().await {
                Ok(()) => self.failed = 0,
                Err(_) if self.failed < TRIES => self.failed = self.failed.saturating_add(1),
                Err(error) => {
                    return Some(self.fail(&format!("the answer cannot be read now: {}", error.detail)));
                }
            }
        }
    }

    /// Whether its time is over, however much of it there is to read.
    fn is_late(&self) -> bool {
        let ended = self.ended.or(self.replay.mark.ended);
        ended.is_some_and(|ended| ended.plus(KEEP) <= self.host.now())
    }

    /// Reads on.
    async fn look(&mut self) -> Result<(), Error> {
        let entries = self.host.scan(&self.log, &self.entry, PAGE).await?;
        self.more = entries.len() >= PAGE;
        for entry in entries {
            let events = self.replay.add(&entry.id, &entry.value);
            self.entry = entry.id;
            let Some(events) = events else { continue };
            if !events.is_empty() {
                self.ready.push_back(events);
            }
        }
        Ok(())
    }

    /// An error in the words of the answer's dialect; nothing follows it.
    fn fail(&mut self, detail: &str) -> Bytes {
        self.over = true;
        let error = Error::new(Kind::Upstream, detail);
        let Some(dialect) = self.head.dialect else {
            return sse::named("error", &problem(&error, &self.head.trace));
        };
        let mut out = BytesMut::new();
        let mut encoder = dialect.encoder(Envelope::default());
        encoder.go_on(self.replay.next());
        encoder.broken(&error, &self.head.trace, &mut out);
        out.freeze()
    }
}

/// The value of a name in a query. Numbers and `true` need no decoding.
fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn none() -> Error {
    let detail = "there is no stream of this id to take up: it was not `resumable`, its ten minutes are over, or it is \
                  another caller's";
    Error::new(Kind::NotFound, detail)
}
