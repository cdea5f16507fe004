//! Many callers at once on one key.

use std::time::Duration;

use futures::future::join_all;
use opencode_core::host::{Closed, Held, Hold, Key, Spent, Take, Takes, Time};
use opencode_core::identity::Tenant;
use opencode_core::op::{Blob, Op, Played};

use super::compare::now;
use super::player::Player;

const CALLERS: u64 = 20;
const LIMIT: u64 = 250;

/// 20 callers take 20 times 1 from a counter that has 250: exactly 250 are held.
pub async fn holds(player: &impl Player) -> Result<(), String> {
    let account = key("account/one");
    let held = join_all((0..CALLERS).map(|caller| {
        let account = &account;
        async move {
            let mut held = 0;
            for turn in 0..CALLERS {
                match player.play(hold(account, &format!("c{caller}-{turn}"), LIMIT)).await {
                    Played::Held(Held::Held) => held += 1,
                    Played::Held(Held::Short { account: 0, counter, left: 0 }) if counter == "open" => {}
                    other => return Err(format!("a hold was answered {other:?}")),
                }
            }
            Ok(held)
        }
    }))
    .await;
    let held: u64 = held.into_iter().sum::<Result<u64, String>>()?;
    same("holds taken", held, LIMIT)
}

/// Everybody swaps the version that everybody saw: one wins each round, the others learn what stands there.
pub async fn swaps(player: &impl Player) -> Result<(), String> {
    let key = key("record/one");
    for seen in 0..5 {
        let answers = join_all((0..CALLERS).map(|caller| {
            let value = Blob(format!("{seen} by {caller}").into());
            player.play(Op::Swap { key: key.clone(), seen, value, expires: None, now: now() })
        }))
        .await;
        let mut won = 0;
        for answer in answers {
            match answer {
                Played::Swapped(version) if version == seen + 1 => won += 1,
                Played::Lost(Some(stored)) if stored.version == seen + 1 => {}
                other => return Err(format!("a swap of version {seen} was answered {other:?}")),
            }
        }
        same("winners", won, 1)?;
    }
    Ok(())
}

/// Everybody closes one hold: one does, and the counter gets its amount back once.
pub async fn closes(player: &impl Player) -> Result<(), String> {
    let account = key("account/two");
    expect(player.play(hold(&account, "only", 3)).await, &Played::Held(Held::Held))?;
    let close = || Op::Close {
        id: "only".to_owned(),
        spent: vec![Spent { account: account.clone(), spent: vec![] }],
    };
    let answers = join_all((0..CALLERS).map(|_| player.play(close()))).await;
    let closed = answers.iter().filter(|answer| **answer == Played::Closed(Closed::Closed)).count();
    same("closed", u64::try_from(closed).unwrap_or(0), 1)?;
    for (id, held) in [("a", true), ("b", true), ("c", true), ("d", false)] {
        let answer = player.play(hold(&account, id, 3)).await;
        if (answer == Played::Held(Held::Held)) != held {
            return Err(format!("after the close hold {id} was answered {answer:?}"));
        }
    }
    Ok(())
}

/// Everybody appends one id: one is new.
pub async fn appends(player: &impl Player) -> Result<(), String> {
    let log = key("log/one");
    let append = |caller: u64| {
        let value = Blob(format!("by {caller}").into());
        player.play(Op::Append { log: log.clone(), id: "one".to_owned(), value, expires: None })
    };
    let answers = join_all((0..CALLERS).map(append)).await;
    let new = answers.iter().filter(|answer| **answer == Played::Appended { new: true }).count();
    same("new entries", u64::try_from(new).unwrap_or(0), 1)
}

fn hold(account: &Key, id: &str, limit: u64) -> Op {
    let lease = now().plus(Duration::from_secs(600));
    let take = Take { counter: "open".to_owned(), window: 0, amount: 1, limit };
    let accounts = vec![Takes { account: account.clone(), takes: vec![take] }];
    Op::Hold(Hold { id: id.to_owned(), lease, note: String::new(), accounts })
}

fn key(name: &str) -> Key {
    let Time(now) = now();
    Key::new(&Tenant::try_from(format!("c{now:x}")).expect("a tenant"), name)
}

fn expect(actual: Played, expected: &Played) -> Result<(), String> {
    if actual == *expected { Ok(()) } else { Err(format!("expected {expected:?}, answered {actual:?}")) }
}

fn same(what: &str, actual: u64, expected: u64) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("{what}: {actual}, not {expected}")) }
}
