//! What the wall saw, per tag.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::dialect::Dialect;
use super::sandbox::Asked as Run;
use crate::h1::Head;

/// How a call ended, as the wall saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It still runs.
    Open,
    /// Everything was written.
    Completed,
    /// The caller hung up first.
    Cancelled,
    /// The wall broke it.
    Broken,
}

/// One call. Times are since the wall's start.
#[derive(Clone, Debug)]
pub struct Call {
    /// How it was said.
    pub dialect: Dialect,
    /// The model that was asked, tag included.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The `authorization` header.
    pub authorization: Option<String>,
    /// The `traceparent` header.
    pub traceparent: Option<String>,
    /// Every header: names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The path and the query.
    pub target: String,
    /// The request's body.
    pub body: String,
    /// When it came.
    pub at: Duration,
    /// Whether it came before `Retry-After` was over.
    pub early: bool,
    /// The answer's status, once there is one.
    pub status: Option<u16>,
    /// When the head of the answer was written.
    pub headed: Option<Duration>,
    /// When the first token of a stream was written.
    pub first: Option<Duration>,
    /// How many tokens of a stream were written, reasoning and pieces of tool arguments included.
    pub tokens: usize,
    /// How it ended.
    pub end: End,
    /// When it ended.
    pub ended: Option<Duration>,
}

impl Call {
    /// A call that came just now.
    pub(super) fn new(
        dialect: Dialect,
        model: &str,
        stream: bool,
        body: &[u8],
        head: &Head,
        at: Duration,
    ) -> Self {
        Self {
            dialect,
            model: model.to_owned(),
            stream,
            authorization: head.header("authorization").map(str::to_owned),
            traceparent: head.header("traceparent").map(str::to_owned),
            headers: head.headers.clone(),
            target: head.word(1).to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            at,
            early: false,
            status: None,
            headed: None,
            first: None,
            tokens: 0,
            end: End::Open,
            ended: None,
        }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every header that a credential came in, with its value.
    pub fn credentials(&self) -> Vec<(&str, &str)> {
        const NAMES: [&str; 4] = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];
        NAMES.into_iter().filter_map(|name| Some((name, self.header(name)?))).collect()
    }
}

/// All calls of a tag.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// In the order they came.
    pub list: Vec<Call>,
    /// How many wait for the head of their answer now.
    pub waiting: usize,
    /// The most that ever waited at once.
    pub waiting_max: usize,
    /// The most calls that ever ran at once.
    pub open_max: usize,
}

impl Stats {
    /// How many calls came.
    pub fn calls(&self) -> usize {
        self.list.len()
    }

    /// How many calls of a model came: `model` is without the tag.
    pub fn asked(&self, model: &str) -> usize {
        self.of(model).count()
    }

    /// The calls of a model: `model` is without the tag.
    pub fn of(&self, model: &str) -> impl Iterator<Item = &Call> {
        self.list.iter().filter(move |call| call.model.split('~').next() == Some(model))
    }

    /// How many were answered to the end.
    pub fn completed(&self) -> usize {
        self.count(End::Completed)
    }

    /// How many were left by their caller.
    pub fn cancelled(&self) -> usize {
        self.count(End::Cancelled)
    }

    /// How many the wall broke.
    pub fn broken(&self) -> usize {
        self.count(End::Broken)
    }

    /// How many still run.
    pub fn open(&self) -> usize {
        self.count(End::Open)
    }

    /// How many came before `Retry-After` was over.
    pub fn early(&self) -> usize {
        self.list.iter().filter(|call| call.early).count()
    }

    /// How many tokens of streams were written, over all calls.
    pub fn tokens(&self) -> usize {
        self.list.iter().map(|call| call.tokens).sum()
    }

    fn count(&self, end: End) -> usize {
        self.list.iter().filter(|call| call.end == end).count()
    }
}

/// Every tag's calls; the empty tag counts what waits over all of them.
#[derive(Default)]
pub(super) struct Book {
    pub(super) tags: BTreeMap<String, Stats>,
    pub(super) released: BTreeSet<String>,
    /// What the sandbox was asked, by tag.
    pub(super) runs: BTreeMap<String, Vec<Run>>,
    /// When a model that said `Retry-After` answers.
    promised: BTreeMap<String, Instant>,
}

impl Book {
    /// Notes a call that came; gives its place in the tag's list.
    pub(super) fn came(&mut self, tag: &str, call: Call) -> usize {
        for name in ["", tag] {
            let stats = self.tags.entry(name.to_owned()).or_default();
            stats.waiting += 1;
            stats.waiting_max = stats.waiting_max.max(stats.waiting);
            if name == tag {
                break;
            }
        }
        let stats = self.tags.entry(tag.to_owned()).or_default();
        stats.list.push(call);
        stats.open_max = stats.open_max.max(stats.open());
        stats.list.len() - 1
    }

    /// Notes that a call's wait for its head is over.
    pub(super) fn headed(&mut self, tag: &str) {
        for name in ["", tag] {
            if let Some(stats) = self.tags.get_mut(name) {
                stats.waiting = stats.waiting.saturating_sub(1);
            }
            if name == tag {
                break;
            }
        }
    }

    pub(super) fn call(&mut self, tag: &str, index: usize) -> &mut Call {
        &mut self.tags.get_mut(tag).expect("the tag has come").list[index]
    }

    /// The seconds until this model answers, which its first call promises; `None` once they are over.
    pub(super) fn left(&mut self, model: &str, seconds: u64) -> Option<u64> {
        let now = Instant::now();
        let Some(until) = self.promised.get(model) else {
            self.promised.insert(model.to_owned(), now + Duration::from_secs(seconds));
            return Some(seconds);
        };
        let left = until.checked_duration_since(now).filter(|left| !left.is_zero())?;
        Some(left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }
}
