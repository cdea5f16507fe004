#![allow(clippy::unwrap_used)]

use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use opencode_core::host::{
    Appended, Blobs, Cache, Counters, Held, Hold, Key, Logs, Message, Records, Spent, Swap, Take, Takes, Time,
};
use opencode_core::identity::Tenant;

use super::Store;
use super::queue::Fate;

const NOW: Time = Time(1_000_000);

fn file() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    (folder, path)
}

fn tenant() -> Tenant {
    Tenant::try_from("acme".to_owned()).unwrap()
}

fn key(name: &str) -> Key {
    Key::new(&tenant(), name)
}

fn message(body: &str) -> Message {
    Message { topic: "t".to_owned(), tenant: tenant(), body: body.to_owned() }
}

fn hold(id: &str, amount: u64) -> Hold {
    let take = Take { counter: "usd".to_owned(), window: 0, amount, limit: 100 };
    let takes = vec![Takes { account: key("account"), takes: vec![take] }];
    Hold { id: id.to_owned(), lease: NOW, note: String::new(), accounts: takes }
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let (_folder, path) = file();
    let later = NOW.plus(Duration::from_secs(9));
    let store = Store::open(&path).unwrap();
    store.cache(&key("c"), Bytes::from("1"), later).await;
    store.put(&key("b"), Bytes::from("2"), later).await.unwrap();
    assert_eq!(store.swap(&key("r"), 0, Bytes::from("3"), None, NOW).await, Ok(Swap::Done(1)));
    assert_eq!(store.append(&key("l"), "1", Bytes::from("4"), None).await, Ok(Appended::New));
    assert_eq!(store.hold(&hold("h", 60)).await, Ok(Held::Held));
    store.enqueue(&message("m"), Duration::ZERO, NOW).await.unwrap();
    drop(store);

    let store = Store::open(&path).unwrap();
    assert_eq!(store.cached(&key("c"), NOW).await, Some(Bytes::from("1")));
    assert_eq!(store.get(&key("b"), NOW).await, Ok(Some(Bytes::from("2"))));
    assert_eq!(store.get(&key("b"), later).await, Ok(None), "gone at its expiry, not after it");
    assert_eq!(store.read(&key("r"), NOW).await.unwrap().unwrap().version, 1);
    assert_eq!(store.scan(&key("l"), "", 9).await.unwrap().len(), 1);
    assert_eq!(
        store.hold(&hold("i", 60)).await,
        Ok(Held::Short { account: 0, counter: "usd".to_owned(), left: 40 })
    );
    assert_eq!(store.waiting().await, Ok(1));
}

#[tokio::test]
async fn a_newer_schema_and_a_file_of_another_kind_are_refused() {
    let (_folder, path) = file();
    drop(Store::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let why = Store::open(&path).err().unwrap().0;
    assert!(why.contains("99") && why.contains("newer"), "{why}");

    std::fs::write(&path, "not a database, and long enough to be taken for none: ".repeat(20)).unwrap();
    let why = Store::open(&path).err().unwrap().0;
    assert!(why.contains("not a database"), "{why}");
}

#[test]
fn a_file_has_one_process() {
    let (_folder, path) = file();
    let first = Store::open(&path).unwrap();
    let why = Store::open(&path).err().unwrap();
    assert!(why.0.contains("another process"), "{why}");
    drop(first);
    assert!(Store::open(&path).is_ok());
}

#[tokio::test]
async fn many_callers_take_no_more_than_there_is() {
    let (_folder, path) = file();
    let store = Store::open(&path).unwrap();
    let holds = (0..300).map(|n| {
        let (store, hold) = (store.clone(), hold(&n.to_string(), 1));
        tokio::spawn(async move { store.hold(&hold).await.unwrap() == Held::Held })
    });
    let mut held = 0;
    for hold in holds.collect::<Vec<_>>() {
        held += u32::from(hold.await.unwrap());
    }
    assert_eq!(held, 100);
}

#[tokio::test]
async fn a_job_that_panics_and_a_caller_that_leaves_harm_nobody() {
    let (_folder, path) = file();
    let store = Store::open(&path).unwrap();
    let panics = {
        let store = store.clone();
        tokio::spawn(async move {
            let job = store.sqlite.call(|db| -> Result<(), super::Failure> {
                db.execute("INSERT INTO log (log, id, value) VALUES ('l', 'half', '')", [])?;
                panic!("on purpose")
            });
            job.await
        })
    };
    assert!(panics.await.is_err());
    let log = key("l");
    store.sqlite.crowd();
    let mut hasty = Box::pin(store.append(&log, "left", Bytes::new(), None));
    assert!(hasty.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(hasty);
    assert_eq!(store.append(&key("l"), "stayed", Bytes::new(), None).await, Ok(Appended::New));
    let ids: Vec<_> = store.scan(&key("l"), "", 9).await.unwrap().into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids, ["left", "stayed"]);
}

#[tokio::test]
async fn one_failing_job_does_not_take_its_batch_with_it() {
    let (_folder, path) = file();
    let store = Store::open(&path).unwrap();
    let fails = store.sqlite.call(|db| {
        db.execute("INSERT INTO cache (key, value, expires) VALUES ('half', 'x', 9)", [])?;
        db.execute("INSERT INTO nowhere VALUES (1)", [])?;
        Ok(())
    });
    let record = key("r");
    let (good, bad) = tokio::join!(store.swap(&record, 0, Bytes::from("1"), None, NOW), fails);
    assert_eq!(good, Ok(Swap::Done(1)));
    assert!(bad.is_err());
    let rows = "SELECT (SELECT COUNT(*) FROM cache) + (SELECT COUNT(*) FROM record)";
    assert_eq!(store.sqlite.call(|db| Ok(db.query_row(rows, [], |row| row.get::<_, i64>(0))?)).await, Ok(1));
}

#[tokio::test]
async fn a_message_is_claimed_retried_and_buried() {
    let (_folder, path) = file();
    let store = Store::open(&path).unwrap();
    let at = |ms: u64| Time(NOW.0 + ms);
    store.enqueue(&message("m"), Duration::from_millis(50), NOW).await.unwrap();
    assert!(store.claim(10, at(49), at(100)).await.unwrap().is_empty(), "delayed");

    let first = store.claim(10, at(50), at(100)).await.unwrap().pop().unwrap();
    assert_eq!((first.attempt, &first.message), (1, &message("m")));
    assert!(store.claim(10, at(99), at(200)).await.unwrap().is_empty(), "leased");

    let second = store.claim(10, at(100), at(200)).await.unwrap().pop().unwrap();
    assert_eq!(second.attempt, 2);
    store.settle(first.id, first.attempt, Fate::Delete).await.unwrap();
    assert_eq!(store.waiting().await, Ok(1), "a verdict that comes after the lease changes nothing");

    store.settle(second.id, 2, Fate::Again(at(300))).await.unwrap();
    assert!(store.claim(10, at(299), at(400)).await.unwrap().is_empty());
    let third = store.claim(10, at(300), at(400)).await.unwrap().pop().unwrap();
    store.settle(third.id, 3, Fate::Dead).await.unwrap();
    assert!(store.claim(10, at(9_000), at(9_100)).await.unwrap().is_empty());
    assert_eq!(store.waiting().await, Ok(0));
}

#[tokio::test]
async fn what_expired_is_removed_and_a_fresh_account_too() {
    let (_folder, path) = file();
    let store = Store::open(&path).unwrap();
    store.cache(&key("c"), Bytes::from("1"), NOW).await;
    store.put(&key("b"), Bytes::from("2"), NOW).await.unwrap();
    store.swap(&key("r"), 0, Bytes::from("3"), Some(NOW), Time(0)).await.unwrap();
    store.swap(&key("kept"), 0, Bytes::from("4"), None, NOW).await.unwrap();
    store.hold(&hold("h", 1)).await.unwrap();
    store.close("h", &[Spent { account: key("account"), spent: Vec::new() }]).await.unwrap();
    assert_eq!(store.sweep(NOW).await, Ok(false));
    let rows = "SELECT (SELECT COUNT(*) FROM cache) + (SELECT COUNT(*) FROM blob) + (SELECT COUNT(*) FROM record) \
                + (SELECT COUNT(*) FROM account)";
    assert_eq!(store.sqlite.call(|db| Ok(db.query_row(rows, [], |row| row.get::<_, i64>(0))?)).await, Ok(1));
}

#[tokio::test]
async fn entries_that_have_expired_are_swept_and_others_stay() {
    let (_folder, path) = file();
    let store = Store::open(&path).unwrap();
    let log = key("log");
    for (id, expires) in [("1", None), ("2", Some(Time(10))), ("3", Some(Time(11)))] {
        store.append(&log, id, Bytes::from("x"), expires).await.unwrap();
    }
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.sweep(Time(10)).await, Ok(false));
    let left: Vec<String> =
        store.scan(&log, "", 9).await.unwrap().into_iter().map(|entry| entry.id).collect();
    assert_eq!(left, ["1", "3"]);
}
