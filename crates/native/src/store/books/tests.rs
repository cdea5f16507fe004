#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use opencode_core::host::{Appended, Closed, Counters, Held, Hold, Key, Logs, Spent, Take, Takes, Time};
use opencode_core::identity::Tenant;

use super::journal;
use crate::store::Store;

fn key(name: &str) -> Key {
    Key::new(&Tenant::try_from("acme".to_owned()).unwrap(), name)
}

fn hold(id: &str, amount: u64) -> Hold {
    let take = Take { counter: "usd".to_owned(), window: 0, amount, limit: 100 };
    let takes = vec![Takes { account: key("account"), takes: vec![take] }];
    Hold { id: id.to_owned(), lease: Time(5), note: "n".to_owned(), accounts: takes }
}

fn spent(amount: u64) -> Vec<Spent> {
    vec![Spent { account: key("account"), spent: vec![("usd".to_owned(), amount)] }]
}

fn short(left: i64) -> Held {
    Held::Short { account: 0, counter: "usd".to_owned(), left }
}

/// What a process that was killed leaves: the files as they are, and no keeper that moves anything any more.
fn killed(path: &Path) -> PathBuf {
    let other = tempfile::tempdir().unwrap().keep();
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), other.join(entry.file_name())).unwrap();
    }
    other.join(path.file_name().unwrap())
}

fn journals(path: &Path) -> Vec<u64> {
    journal::segments(path).unwrap()
}

async fn ids(store: &Store) -> Vec<String> {
    store.scan(&key("log"), "", 500).await.unwrap().into_iter().map(|entry| entry.id).collect()
}

#[tokio::test]
async fn what_was_answered_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let store = Store::open(&path).unwrap();
    assert_eq!(store.hold(&hold("a", 60)).await, Ok(Held::Held));
    assert_eq!(store.hold(&hold("b", 30)).await, Ok(Held::Held));
    assert_eq!(store.append(&key("log"), "1", Bytes::from("one"), None).await, Ok(Appended::New));
    assert_eq!(store.close("a", &spent(10)).await, Ok(Closed::Closed));
    assert_eq!(store.hold(&hold("c", 61)).await, Ok(short(60)), "refused, and so not written");
    let path = killed(&path);
    drop(store);

    for again in 0..2 {
        let store = Store::open(&path).unwrap();
        assert_eq!(store.hold(&hold("d", 61)).await, Ok(short(60)), "{again}");
        assert_eq!(store.append(&key("log"), "1", Bytes::from("two"), None).await, Ok(Appended::Already));
        let entries = store.scan(&key("log"), "", 9).await.unwrap();
        assert_eq!((entries.len(), &entries[0].value[..]), (1, &b"one"[..]));
        let overdue = store.overdue(key("").tenant(), Time(6), 9).await.unwrap();
        assert_eq!((overdue.len(), overdue[0].id.as_str(), overdue[0].note.as_str()), (1, "b", "n"));
        assert_eq!(store.overdue(key("").tenant(), Time(5), 9).await.unwrap(), []);
    }
    assert_eq!(journals(&path), [] as [u64; 0], "an ended process leaves none but an empty one");
}

#[tokio::test]
async fn a_change_that_was_not_written_whole_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let store = Store::open(&path).unwrap();
    for id in ["1", "2", "3"] {
        store.append(&key("log"), id, Bytes::from(vec![b'x'; 100]), None).await.unwrap();
    }
    let number = *journals(&path).last().unwrap();
    let whole = std::fs::read(path.with_extension(format!("journal.{number}"))).unwrap();
    let frame = whole.len() / 3;
    let mut damaged = whole.clone();
    damaged[frame * 2 - 1] ^= 1;
    let cases = [
        (whole[..frame * 3 - 1].to_vec(), 2),
        (whole[..frame + 3].to_vec(), 1),
        (damaged, 1),
        ([&whole[..frame], &[0xff; 200]].concat(), 1),
        (Vec::new(), 0),
    ];
    for (bytes, kept) in cases {
        let path = killed(&path);
        std::fs::write(path.with_extension(format!("journal.{number}")), bytes).unwrap();
        let store = Store::open(&path).unwrap();
        assert_eq!(ids(&store).await, ["1", "2", "3"][..kept]);
        assert_eq!(store.append(&key("log"), "4", Bytes::new(), None).await, Ok(Appended::New));
    }
}

#[tokio::test]
async fn memory_and_file_are_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    for round in 0..3 {
        let store = Store::open(&path).unwrap();
        for id in [30 + round, 20 - round, 10 + round] {
            let id = format!("{id:02}");
            assert_eq!(store.append(&key("log"), &id, Bytes::from("x"), None).await, Ok(Appended::New));
            assert_eq!(store.append(&key("log"), &id, Bytes::from("y"), None).await, Ok(Appended::Already));
        }
    }
    let store = Store::open(&path).unwrap();
    store.append(&key("log"), "15", Bytes::from("x"), None).await.unwrap();
    store.append(&key("log"), "99", Bytes::from("x"), None).await.unwrap();
    assert_eq!(ids(&store).await, ["10", "11", "12", "15", "18", "19", "20", "30", "31", "32", "99"]);
    let some = store.scan(&key("log"), "12", 3).await.unwrap();
    assert_eq!(some.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["15", "18", "19"]);
}

/// 12 MB in entries of the largest size: the callers wait for the keeper, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn more_than_fits_waits_for_the_keeper() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let store = Store::open(&path).unwrap();
    let appends = (0..60).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let value = Bytes::from(vec![b'x'; 200 * 1024]);
            store.append(&key("log"), &format!("{number:03}"), value, None).await
        })
    });
    for append in appends.collect::<Vec<_>>() {
        assert_eq!(append.await.unwrap(), Ok(Appended::New));
    }
    let (mut seen, mut after) = (0, String::new());
    loop {
        let page = store.scan(&key("log"), &after, 500).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 6, "a page of a megabyte");
        (seen, after) = (seen + page.len(), last.id.clone());
    }
    assert_eq!(seen, 60);
}
