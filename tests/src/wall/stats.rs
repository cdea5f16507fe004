//! What the wall saw, per tag.

use std::collections::BTreeMap;

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

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The model that was asked, tag included.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The `authorization` header.
    pub authorization: Option<String>,
    /// The `traceparent` header.
    pub traceparent: Option<String>,
    /// The request's body.
    pub body: String,
    /// How many tokens were written.
    pub tokens: usize,
    /// How it ended.
    pub end: End,
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
        self.list.iter().filter(|call| call.model.split('~').next() == Some(model)).count()
    }

    /// How many were answered to the end.
    pub fn completed(&self) -> usize {
        self.count(End::Completed)
    }

    /// How many were left by their caller.
    pub fn cancelled(&self) -> usize {
        self.count(End::Cancelled)
    }

    /// How many still run.
    pub fn open(&self) -> usize {
        self.count(End::Open)
    }

    fn count(&self, end: End) -> usize {
        self.list.iter().filter(|call| call.end == end).count()
    }
}

/// Every tag's calls; the empty tag counts what waits over all of them.
#[derive(Default)]
pub(super) struct Book {
    pub(super) tags: BTreeMap<String, Stats>,
    pub(super) released: std::collections::BTreeSet<String>,
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
}
