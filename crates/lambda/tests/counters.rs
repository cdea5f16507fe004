//! The counters against DynamoDB Local, compared with the pure algorithm.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{aws, handle, key, tenant};
use opencode_core::host::{Closed, Counters, Held, Hold, Key, Overdue, Rounds, Spent, Take, Takes, Time};
use opencode_core::ledger::counters::{Account, MAX_OPEN, Outcome};

fn take(counter: &str, window: u64, amount: u64, limit: u64) -> Take {
    Take { counter: counter.to_owned(), window, amount, limit }
}

fn hold(id: &str, lease: u64, account: &Key, takes: Vec<Take>) -> Hold {
    let accounts = vec![Takes { account: account.clone(), takes }];
    Hold { id: id.to_owned(), lease: Time(lease), note: format!("note of {id}"), accounts }
}

fn spent(account: &Key, spent: &[(&str, u64)]) -> Vec<Spent> {
    let spent = spent.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect();
    vec![Spent { account: account.clone(), spent }]
}

#[tokio::test]
async fn a_standing_window_costs_one_round_each_way() {
    let Some(aws) = aws().await else { return };
    let a = key("a");
    let first = handle(&aws);
    let takes = || vec![take("usd", 1, 10, 100), take("requests", 5, 1, 3)];
    assert_eq!(first.hold(&hold("one", 50, &a, takes())).await, Ok(Held::Held));
    assert_eq!(first.rounds(), 2, "the first hold makes the account");
    let second = handle(&aws);
    assert_eq!(second.hold(&hold("two", 60, &a, takes())).await, Ok(Held::Held));
    assert_eq!(second.close("two", &spent(&a, &[("usd", 4), ("requests", 1)])).await, Ok(Closed::Closed));
    assert_eq!(second.rounds(), 2);
    let other = handle(&aws);
    assert_eq!(other.close("one", &spent(&a, &[("usd", 200)])).await, Ok(Closed::Closed));
    assert_eq!(other.rounds(), 2, "another process reads the hold first");
    assert_eq!(other.close("one", &spent(&a, &[])).await, Ok(Closed::Already));
    let short = Held::Short { account: 0, counter: "usd".to_owned(), left: 100 - 4 - 200 };
    assert_eq!(other.hold(&hold("three", 70, &a, takes())).await, Ok(short));
}

#[tokio::test]
async fn contending_holds_are_exact() {
    let Some(aws) = aws().await else { return };
    let a = key("contended");
    let mut tasks = Vec::new();
    for writer in 0..20 {
        let (host, a) = (handle(&aws), a.clone());
        tasks.push(tokio::spawn(async move {
            let mut held = 0;
            for turn in 0..10 {
                let id = format!("{writer}-{turn}");
                let wanted = hold(&id, 1_000 - turn, &a, vec![take("n", turn / 5, 2, 150)]);
                if host.hold(&wanted).await.unwrap() == Held::Held {
                    held += 1;
                    assert_eq!(host.close(&id, &spent(&a, &[("n", 1)])).await, Ok(Closed::Closed));
                }
            }
            (held, host.rounds())
        }));
    }
    let (mut held, mut rounds) = (0, 0);
    for task in tasks {
        let (more, trips) = task.await.unwrap();
        held += more;
        rounds += trips;
    }
    println!("{held} holds, {rounds} rounds for 200 tries");
    let left = handle(&aws).hold(&hold("last", 1, &a, vec![take("n", 1, 1_000, 150)])).await.unwrap();
    assert_eq!(handle(&aws).overdue(&tenant("acme"), Time(2_000), 100).await, Ok(vec![]));
    let Held::Short { left, .. } = left else { panic!("{left:?}") };
    assert!((0..=150).contains(&left), "{left}");
}

#[tokio::test]
async fn twenty_writers_lose_no_unit() {
    let Some(aws) = aws().await else { return };
    let a = key("exact");
    let tasks = (0..20).map(|writer| {
        let (host, a) = (handle(&aws), a.clone());
        tokio::spawn(async move {
            for turn in 0..10 {
                let id = format!("{writer}-{turn}");
                let wanted = hold(&id, 1_000, &a, vec![take("n", 0, 3, 1_000)]);
                assert_eq!(host.hold(&wanted).await, Ok(Held::Held));
                host.close(&id, &spent(&a, &[("n", 1)])).await.unwrap();
            }
            host.rounds()
        })
    });
    let mut rounds = 0;
    for task in tasks.collect::<Vec<_>>() {
        rounds += task.await.unwrap();
    }
    println!("{rounds} rounds for 200 holds and 200 closes");
    let left = handle(&aws).hold(&hold("last", 1, &a, vec![take("n", 0, 9_999, 1_000)])).await;
    assert_eq!(left, Ok(Held::Short { account: 0, counter: "n".to_owned(), left: 800 }));
}

#[tokio::test]
async fn a_full_account_is_short_of_holds() {
    let Some(aws) = aws().await else { return };
    let a = key("full");
    let host = handle(&aws);
    for index in 0..MAX_OPEN {
        let wanted =
            hold(&format!("{index:026}"), 1_000, &a, vec![take("n", 0, 1, 5_000), take("m", 0, 1, 5_000)]);
        assert_eq!(host.hold(&wanted).await, Ok(Held::Held));
    }
    let short = Held::Short { account: 0, counter: "holds".to_owned(), left: 0 };
    assert_eq!(host.hold(&hold("more", 1_000, &a, vec![take("n", 0, 1, 5_000)])).await, Ok(short.clone()));
    let b = key("long-notes");
    for index in 0..MAX_OPEN {
        let mut wanted = hold(&format!("{index:026}"), 1_000, &b, vec![]);
        wanted.note = "n".repeat(512);
        match host.hold(&wanted).await.unwrap() {
            Held::Held => {}
            other => {
                println!("{index} holds with the longest notes fit");
                assert_eq!(other, short);
                return;
            }
        }
    }
    panic!("more than an item's 400 KB fitted");
}

/// A small generator, so that a failing seed can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[tokio::test]
async fn random_operations_agree_with_the_model() {
    let Some(aws) = aws().await else { return };
    let mut random = Random(0x0005_eed0_0000_0001);
    let mut model: BTreeMap<Key, Account> = BTreeMap::new();
    let mut host = handle(&aws);
    for step in 0..1_500 {
        if random.below(5) == 0 {
            host = handle(&aws);
        }
        let account = key(&format!("acc/{}", random.below(3)));
        let id = format!("h.{}", random.below(12));
        match random.below(9) {
            0..5 => {
                let mut takes = Vec::new();
                for counter in ["usd", "rpm", "n"] {
                    if random.below(3) > 0 {
                        let (window, amount) = (random.below(3) + step / 200, random.below(40));
                        takes.push(take(counter, window, amount, 60 + random.below(60)));
                    }
                }
                let wanted = hold(&id, random.below(1_000), &account, takes.clone());
                let expected =
                    match model.entry(account).or_default().hold(&id, wanted.lease, &wanted.note, &takes) {
                        Outcome::Taken => Held::Held,
                        Outcome::Already => Held::Already,
                        Outcome::Short { counter, left } => Held::Short { account: 0, counter, left },
                    };
                assert_eq!(host.hold(&wanted).await, Ok(expected), "step {step}");
            }
            5..8 => {
                let amounts = [("usd", random.below(60)), ("n", random.below(60))];
                let part = random.below(3) as usize;
                let done = spent(&account, &amounts[..part]);
                let closed = model.entry(account).or_default().close(&id, &done[0].spent);
                let expected = if closed { Closed::Closed } else { Closed::Already };
                assert_eq!(host.close(&id, &done).await, Ok(expected), "step {step}");
            }
            _ => {
                let now = Time(random.below(1_200));
                let found = host.overdue(&tenant("acme"), now, 100).await.unwrap();
                assert_eq!(found, overdue(&model, now), "step {step}");
            }
        }
    }
}

fn overdue(model: &BTreeMap<Key, Account>, now: Time) -> Vec<Overdue> {
    let holds = model.iter().flat_map(|(key, account)| account.holds.iter().map(move |hold| (key, hold)));
    holds
        .filter(|(_, (_, open))| open.lease < now)
        .map(|(key, (id, open))| Overdue {
            id: id.clone(),
            note: open.note.clone(),
            account: key.clone(),
            lease: open.lease,
            takes: open.took.iter().map(|took| (took.counter.clone(), took.amount)).collect(),
        })
        .collect()
}
