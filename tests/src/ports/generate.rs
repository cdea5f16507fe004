//! Seeded random operations over so few keys, accounts, ids and times that they meet.

use bytes::Bytes;
use opencode_core::host::{Hold, Key, Spent, Take, Takes, Time};
use opencode_core::identity::Tenant;
use opencode_core::op::{Blob, Op};

/// A small deterministic generator (xorshift64*).
pub struct Random(u64);

impl Random {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.draw();
        random
    }

    /// 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.draw() >> 16) % bound
    }
}

/// A sequence of operations for tenants of its own.
pub struct Sequence {
    random: Random,
    tenants: Vec<Tenant>,
    now: u64,
}

impl Sequence {
    /// The sequence of a seed. `tag` sets its tenants apart from every other's; `start` is its first time, which
    /// should lie ahead of the clock, or a store's own clean-up joins in.
    pub fn new(seed: u64, tag: &str, start: Time) -> Self {
        let tenant = |name: &str| Tenant::try_from(format!("{tag}-{seed}-{name}")).expect("a tenant");
        Self { random: Random::new(seed), tenants: vec![tenant("a"), tenant("b")], now: start.0 }
    }

    /// The next operation; `step` makes its values unique.
    pub fn op(&mut self, step: usize) -> Op {
        self.now += self.pick(&[0, 0, 1, 500, 2_000]);
        let now = Time(self.now - self.pick(&[0, 0, 0, 1]));
        let expires = Time(self.now + self.pick(&[0, 1, 2_000, 10_000]));
        let value = Blob(Bytes::from(format!("value {step}")));
        match self.random.below(20) {
            0 => Op::Cache { key: self.key("cache"), value, expires },
            1 => Op::Cached { key: self.key("cache"), now },
            2 => Op::Read { key: self.key("record"), now },
            3..=5 => {
                let kept = self.random.below(2) == 0;
                let seen = self.random.below(4);
                Op::Swap { key: self.key("record"), seen, value, expires: kept.then_some(expires), now }
            }
            6..=9 => Op::Hold(self.hold(step)),
            10..=12 => Op::Close { id: self.id(), spent: self.spent() },
            13 => Op::Overdue {
                tenant: self.tenant(),
                now,
                limit: usize::try_from(self.pick(&[1, 3, 100])).unwrap(),
            },
            14 | 15 => {
                // Stores may forget what has expired at any time, so nothing does.
                let expires = step.is_multiple_of(2).then_some(Time(now.0 + 3_600_000));
                Op::Append { log: self.key("log"), id: self.id(), value, expires }
            }
            16 => Op::Scan {
                log: self.key("log"),
                after: self.after(),
                limit: usize::try_from(self.pick(&[1, 3, 500])).unwrap(),
            },
            17 => Op::Put { key: self.key("blob"), value: self.blob(step), expires },
            18 => Op::Get { key: self.key("blob"), now },
            _ => Op::Remove { key: self.key("blob") },
        }
    }

    fn hold(&mut self, step: usize) -> Hold {
        let tenant = self.tenant();
        let lease = Time(self.now + self.pick(&[0, 1, 3_000]));
        let both = self.random.below(3) == 0;
        let first = self.random.below(2);
        let names: &[u64] = if both { &[first, 1 - first] } else { &[first] };
        let accounts = names
            .iter()
            .map(|name| Takes { account: Key::new(&tenant, format!("account/{name}")), takes: self.takes() })
            .collect();
        Hold { id: self.id(), lease, note: format!("note {step}"), accounts }
    }

    fn takes(&mut self) -> Vec<Take> {
        let minute = self.now / 4_000;
        let mut takes = Vec::new();
        for (counter, window, limit) in [("requests", minute, 3), ("open", 0, 4), ("money", 7, 10)] {
            if self.random.below(2) == 0 {
                let limit = limit + self.pick(&[0, 0, 0, 2]);
                takes.push(Take { counter: counter.to_owned(), window, amount: self.random.below(5), limit });
            }
        }
        takes
    }

    fn spent(&mut self) -> Vec<Spent> {
        let tenant = self.tenant();
        let accounts = 1 + self.random.below(2);
        (0..accounts)
            .map(|name| {
                let counters =
                    ["requests", "open", "money"].into_iter().filter(|_| self.random.below(2) == 0);
                let counters: Vec<&str> = counters.collect();
                let spent =
                    counters.into_iter().map(|counter| (counter.to_owned(), self.random.below(8))).collect();
                Spent { account: Key::new(&tenant, format!("account/{name}")), spent }
            })
            .collect()
    }

    fn blob(&mut self, step: usize) -> Blob {
        let size = usize::try_from(self.pick(&[0, 10, 1_000, 700_000])).unwrap_or(0);
        Blob(Bytes::from(vec![u8::try_from(step % 251).unwrap_or(0); size]))
    }

    fn key(&mut self, kind: &str) -> Key {
        let tenant = self.tenant();
        Key::new(&tenant, format!("{kind}/{}", self.random.below(2)))
    }

    fn tenant(&mut self) -> Tenant {
        // Mostly one, so that its keys meet; the other shows what leaks.
        self.tenants[usize::from(self.random.below(4) == 0)].clone()
    }

    fn id(&mut self) -> String {
        format!("id{}", self.random.below(5))
    }

    fn after(&mut self) -> String {
        if self.random.below(2) == 0 { String::new() } else { self.id() }
    }

    fn pick(&mut self, among: &[u64]) -> u64 {
        let bound = u64::try_from(among.len()).unwrap_or(1);
        among[usize::try_from(self.random.below(bound)).unwrap_or(0)]
    }
}
