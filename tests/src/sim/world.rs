//! All that happens in one scene: the clock, the stores, every attempt, every call, and what broke an invariant.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::rc::Rc;

use opencode_core::host::{Hold, Spent};
use opencode_core::ledger::receipt::{Outcome, Receipt};

use super::caller::Ask;
use super::clock::{Clock, Flag};
use super::upstream::{Head, Pace, Script, Truth};
use crate::ports::generate::Random;
use crate::ports::model::Model;

/// A tenant's limits, as its row has them; 0 means none.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// Answers a minute.
    pub requests: u64,
    /// Answers at once.
    pub concurrent: u64,
    /// Micro-dollars a day.
    pub micros: u64,
}

/// A target and how it behaves.
pub struct Target {
    /// Its place in `upstream::DIALECTS`.
    pub dialect: usize,
    /// What its scripts are made to fit.
    pub pace: Pace,
}

/// See the module.
pub struct World {
    /// The scene's seed.
    pub seed: u64,
    /// Virtual time.
    pub clock: Clock,
    /// Whoever may be asked.
    pub targets: Vec<Target>,
    /// Whoever asks.
    pub tenants: Vec<Tenant>,
    /// The bound of a whole answer, in milliseconds.
    pub whole: u64,
    /// Whether stores fail now and then.
    pub flaky: Cell<bool>,
    /// Whether they did at any time.
    pub flaked: Cell<bool>,
    /// Everything that changes.
    pub state: RefCell<State>,
    story: Option<RefCell<Vec<Happened>>>,
}

/// When, to which call, what.
type Happened = (u64, Option<usize>, String);

/// See [`World`].
pub struct State {
    /// For what is decided on the way.
    pub random: Random,
    /// The stores.
    pub stores: Model,
    /// In the order they were sent.
    pub attempts: Vec<Attempt>,
    /// In the order they were planned.
    pub calls: Vec<Call>,
    /// By id.
    pub holds: BTreeMap<String, Held>,
    /// The call, if it was one, and what it broke.
    pub broken: Vec<(Option<usize>, String)>,
}

/// One request that reached a provider.
pub struct Attempt {
    /// Of which call.
    pub call: usize,
    /// Which of the call's attempts, from 0.
    pub number: usize,
    /// Which target.
    pub target: usize,
    /// What it meets.
    pub script: Rc<Script>,
    /// When it came.
    pub sent: u64,
    /// When its head was handed over.
    pub head: Option<u64>,
    /// How much of the body was handed over, and when the last of it.
    pub delivered: usize,
    /// See `delivered`.
    pub last: u64,
    /// Whether the body's end was handed over.
    pub eof: bool,
    /// When the first content of a stream was handed over.
    pub content: Option<u64>,
    /// When it was over for the provider: answered, broken or dropped.
    pub over: Option<u64>,
}

/// One request of a caller.
pub struct Call {
    /// What is asked and how its caller behaves.
    pub ask: Ask,
    /// Has the caller left?
    pub gone: Rc<Flag>,
    /// When it began.
    pub began: u64,
    /// When the caller left.
    pub left: Option<u64>,
    /// When its owner died.
    pub died: Option<u64>,
    /// Status and headers, once there are any.
    pub head: Option<(u16, http::HeaderMap)>,
    /// Everything that was written, with its time.
    pub items: Vec<(u64, bytes::Bytes)>,
    /// When the answer ended.
    pub ended: Option<u64>,
    /// How long the caller let the answer wait, in all.
    pub paused: u64,
    /// Receipts of this call, the sweeper's too.
    pub receipts: Vec<Receipt>,
    /// Appends that failed for it, done or not.
    pub append_errors: u32,
    /// What those heard who took it up again.
    pub followed: Vec<Followed>,
}

/// A stream that was taken up again.
pub struct Followed {
    /// After which event; `None`: from the start.
    pub after: Option<u64>,
    /// Whether its time was over.
    pub late: bool,
    /// Of the response.
    pub status: u16,
    /// What it said.
    pub bytes: Vec<u8>,
}

/// A hold that was taken.
pub struct Held {
    /// By which call.
    pub call: Option<usize>,
    /// Whose.
    pub tenant: String,
    /// Counter, window, amount.
    pub takes: Vec<(String, u64, u64)>,
    /// What it cost in the end.
    pub spent: Option<Vec<(String, u64)>>,
    /// When it was closed.
    pub closed: Option<u64>,
}

impl World {
    /// A world in which nothing has happened.
    pub fn new(
        seed: u64,
        clock: Clock,
        targets: Vec<Target>,
        tenants: Vec<Tenant>,
        whole: u64,
        tell: bool,
    ) -> Self {
        let state = State {
            random: Random::new(seed ^ 0x5eed),
            stores: Model::default(),
            attempts: Vec::new(),
            calls: Vec::new(),
            holds: BTreeMap::new(),
            broken: Vec::new(),
        };
        let story = tell.then(RefCell::default);
        let (flaky, state) = (Cell::new(false), RefCell::new(state));
        let flaked = Cell::new(false);
        Self { seed, clock, targets, tenants, whole, flaky, flaked, state, story }
    }

    /// Adds to the story, where one is told.
    pub fn tell(&self, call: Option<usize>, what: impl FnOnce() -> String) {
        if let Some(story) = &self.story {
            story.borrow_mut().push((self.clock.now(), call, what()));
        }
    }

    /// The story of one call, or of everything; `start` is the scene's first moment.
    pub fn story(&self, of: Option<usize>, start: u64) -> String {
        let Some(story) = &self.story else { return String::new() };
        let story = story.borrow();
        let about = story.iter().filter(|(_, call, _)| of.is_none() || call.is_none() || *call == of);
        let lines = about.map(|(at, call, what)| {
            let call = call.map_or(String::new(), |call| format!(" call {call}"));
            format!("{:>9} ms{call}  {what}\n", at - start)
        });
        lines.collect()
    }

    /// Notes a broken invariant.
    pub fn breaks(&self, call: Option<usize>, what: impl Display) {
        self.tell(call, || format!("BROKEN: {what}"));
        self.state.borrow_mut().broken.push((call, what.to_string()));
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.state.borrow_mut().random.below(bound)
    }

    /// Notes a hold and checks, from what was held and spent alone, that no limit is broken.
    pub fn held(&self, call: Option<usize>, hold: &Hold) {
        let Some(takes) = hold.accounts.first() else { return };
        let tenant = takes.account.tenant().as_str().to_owned();
        let takes = takes.takes.iter().map(|take| (take.counter.clone(), take.window, take.amount)).collect();
        let held = Held { call, tenant: tenant.clone(), takes, spent: None, closed: None };
        self.state.borrow_mut().holds.insert(hold.id.clone(), held);
        self.within_limits(&tenant);
    }

    /// Notes the close of a hold.
    pub fn closed(&self, id: &str, spent: &[Spent]) {
        let tenant = {
            let mut state = self.state.borrow_mut();
            let Some(held) = state.holds.get_mut(id).filter(|held| held.spent.is_none()) else { return };
            held.closed = Some(self.clock.now());
            held.spent = Some(spent.iter().flat_map(|spent| spent.spent.clone()).collect());
            held.tenant.clone()
        };
        self.within_limits(&tenant);
    }

    fn within_limits(&self, tenant: &str) {
        let Some(limits) = self.tenants.iter().find(|row| row.name == tenant) else { return };
        let bounds =
            [("requests", limits.requests), ("concurrent", limits.concurrent), ("micros", limits.micros)];
        for (counter, limit) in bounds.into_iter().filter(|(_, limit)| *limit > 0) {
            for (window, sum) in self.used(tenant, counter) {
                if sum > limit {
                    let call = None;
                    let what = format!("{tenant} has {sum} {counter} in window {window}, over {limit}");
                    self.breaks(call, what);
                }
            }
        }
    }

    /// What is held and spent of a counter, by window. A place is free again, whatever the close says was spent.
    pub fn used(&self, tenant: &str, counter: &str) -> BTreeMap<u64, u64> {
        let mut used = BTreeMap::new();
        for held in self.state.borrow().holds.values().filter(|held| held.tenant == tenant) {
            for (_, window, amount) in held.takes.iter().filter(|(name, _, _)| name == counter) {
                let cost = |spent: &Vec<(String, u64)>| {
                    let of = spent.iter().find(|(name, _)| name == counter && counter != "concurrent");
                    of.map_or(0, |(_, amount)| *amount)
                };
                let spent = held.spent.as_ref().map(cost);
                *used.entry(*window).or_default() += spent.unwrap_or(*amount);
            }
        }
        used
    }

    /// Gives a receipt to its call.
    pub fn receipted(&self, receipt: Receipt) {
        let call = self.call_of(&receipt.trace);
        self.tell(call, || format!("receipt: {:?}, {} micros", receipt.outcome, receipt.cost_micros));
        match call {
            Some(call) => self.state.borrow_mut().calls[call].receipts.push(receipt),
            None => self.breaks(None, format!("a receipt of nobody's: {receipt:?}")),
        }
    }

    /// The trace that a call comes with.
    pub fn trace(&self, call: usize) -> String {
        format!("{:032x}", (u128::from(self.seed) << 64) + call as u128 + 1)
    }

    fn call_of(&self, trace: &str) -> Option<usize> {
        (0..self.state.borrow().calls.len()).find(|call| self.trace(*call) == trace)
    }
}

impl Attempt {
    /// What an honest gateway knows of it.
    pub fn truth(&self) -> Truth {
        self.script.truth(self.delivered, self.eof)
    }

    /// The status whose head was handed over.
    pub fn status(&self) -> Option<u16> {
        match self.script.head {
            Head::Status(status, _) if self.head.is_some() => Some(status),
            _ => None,
        }
    }
}

impl Call {
    /// The receipts that its owner wrote, not the sweeper.
    pub fn own_receipts(&self) -> usize {
        self.receipts.iter().filter(|receipt| receipt.outcome != Outcome::Lost).count()
    }

    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.as_ref()?.1.get(name)?.to_str().ok()
    }

    /// All that was written until `until`.
    pub fn written(&self, until: Option<u64>) -> Vec<u8> {
        let until = until.unwrap_or(u64::MAX);
        self.items.iter().filter(|(at, _)| *at <= until).flat_map(|(_, bytes)| bytes.to_vec()).collect()
    }
}
