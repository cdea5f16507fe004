//! Cache, records, logs, blobs and the queue, against DynamoDB Local and ElasticMQ.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{aws, handle, key, tenant};
use opencode_core::host::{
    Appended, Blobs, Cache, Logs, MAX_BLOB, MAX_ENTRY, MAX_RECORD, Message, Queue, Records, Rounds, Swap,
    Time, Versioned,
};

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test]
async fn a_conditional_write_is_refused() {
    let Some(aws) = aws().await else { return };
    let host = handle(&aws);
    let now = Time(1_000);
    assert_eq!(host.read(&key("a"), now).await, Ok(None));
    assert_eq!(host.swap(&key("a"), 0, bytes("one"), None, now).await, Ok(Swap::Done(1)));
    let stands = Versioned { version: 1, value: bytes("one") };
    assert_eq!(host.swap(&key("a"), 0, bytes("two"), None, now).await, Ok(Swap::Lost(Some(stands.clone()))));
    assert_eq!(host.swap(&key("a"), 7, bytes("two"), None, now).await, Ok(Swap::Lost(Some(stands))));
    assert_eq!(host.rounds(), 4);
}

#[tokio::test]
async fn records_expire_and_begin_again() {
    let Some(aws) = aws().await else { return };
    let host = handle(&aws);
    let k = key("r");
    assert_eq!(host.swap(&k, 3, bytes("x"), None, Time(0)).await, Ok(Swap::Lost(None)));
    assert_eq!(host.swap(&k, 0, bytes("x"), Some(Time(10)), Time(0)).await, Ok(Swap::Done(1)));
    assert_eq!(host.swap(&k, 1, bytes("y"), Some(Time(20)), Time(9)).await, Ok(Swap::Done(2)));
    assert_eq!(host.read(&k, Time(20)).await, Ok(None));
    assert_eq!(host.swap(&k, 2, bytes("z"), None, Time(20)).await, Ok(Swap::Lost(None)));
    assert_eq!(host.swap(&k, 0, bytes(""), None, Time(20)).await, Ok(Swap::Done(1)));
    assert_eq!(host.read(&k, Time(99)).await.unwrap().unwrap().value, bytes(""));
    let large = Bytes::from(vec![7; MAX_RECORD + 1]);
    assert!(host.swap(&k, 1, large, None, Time(20)).await.is_err());
}

#[tokio::test]
async fn the_cache_forgets_in_time() {
    let Some(aws) = aws().await else { return };
    let host = handle(&aws);
    assert_eq!(host.cached(&key("c"), Time(0)).await, None);
    host.cache(&key("c"), bytes("v"), Time(10)).await;
    assert_eq!(host.cached(&key("c"), Time(9)).await, Some(bytes("v")));
    assert_eq!(host.cached(&key("c"), Time(10)).await, None);
}

#[tokio::test]
async fn logs_keep_the_first_and_their_order() {
    let Some(aws) = aws().await else { return };
    let host = handle(&aws);
    let log = key("log");
    assert_eq!(host.append(&log, "b", bytes("2"), None).await, Ok(Appended::New));
    assert_eq!(host.append(&log, "a", bytes("1"), None).await, Ok(Appended::New));
    assert_eq!(host.append(&log, "b", bytes("9"), None).await, Ok(Appended::Already));
    let ids = async |after: &str, limit: usize| {
        let found = host.scan(&log, after, limit).await.unwrap();
        found.into_iter().map(|entry| format!("{}{:?}", entry.id, entry.value)).collect::<Vec<_>>()
    };
    assert_eq!(ids("", 9).await, ["ab\"1\"", "bb\"2\""]);
    assert_eq!(ids("a", 9).await, ["bb\"2\""]);
    assert_eq!(ids("", 1).await, ["ab\"1\""]);
    assert!(ids("b", 9).await.is_empty() && ids("", 0).await.is_empty());
    for id in ["c", "d", "e", "f", "g"] {
        host.append(&log, id, Bytes::from(vec![1; MAX_ENTRY]), None).await.unwrap();
    }
    let page = host.scan(&log, "b", 9).await.unwrap();
    assert!((1..5).contains(&page.len()), "a page ends at 1 MB");
}

#[tokio::test]
async fn blobs_of_any_size_are_replaced_whole() {
    let Some(aws) = aws().await else { return };
    let host = handle(&aws);
    let blob = key("blob");
    assert_eq!(host.get(&blob, Time(0)).await, Ok(None));
    for (fill, size) in [(1, MAX_BLOB), (2, 10), (3, 300 * 1024 + 1), (4, 0), (5, 2_000_000)] {
        let value = Bytes::from(vec![fill; size]);
        host.put(&blob, value.clone(), Time(10)).await.unwrap();
        assert_eq!(host.get(&blob, Time(9)).await.unwrap(), Some(value));
        assert_eq!(host.get(&blob, Time(10)).await, Ok(None));
    }
    host.remove(&blob).await.unwrap();
    assert_eq!(host.get(&blob, Time(0)).await, Ok(None));
    host.remove(&blob).await.unwrap();
    assert!(host.put(&blob, Bytes::from(vec![0; MAX_BLOB + 1]), Time(10)).await.is_err());
    let left = aws.dynamodb().scan().table_name(aws.table()).send().await.unwrap();
    assert_eq!(left.count(), 0, "no part is left behind");
}

#[tokio::test]
async fn a_reader_never_sees_a_mix() {
    let Some(aws) = aws().await else { return };
    let writer = handle(&aws);
    let reader = handle(&aws);
    let blob = key("mix");
    writer.put(&blob, Bytes::from(vec![0; 700_000]), Time(10)).await.unwrap();
    let write = async {
        for fill in 1..20 {
            writer.put(&blob, Bytes::from(vec![fill; 700_000]), Time(10)).await.unwrap();
        }
    };
    let read = async {
        for _ in 0..20 {
            // Refusing after a few tries is right while it is replaced all the time; a mix never is.
            if let Ok(value) = reader.get(&blob, Time(0)).await {
                let value = value.unwrap();
                assert!(value.len() == 700_000 && value.iter().all(|byte| *byte == value[0]));
            }
        }
    };
    tokio::join!(write, read);
}

#[tokio::test]
async fn the_queue_takes_messages() {
    let Some(aws) = aws().await else { return };
    if std::env::var("OPENCODE_TEST_SQS_QUEUE").is_err() {
        println!("skipped: OPENCODE_TEST_SQS_QUEUE (the URL of a queue in ElasticMQ) is not set");
        return;
    }
    let host = handle(&aws);
    let before = host.waiting().await.unwrap().unwrap();
    let message = Message { topic: "t".to_owned(), tenant: tenant("acme"), body: "{}".to_owned() };
    host.enqueue(&message, Duration::ZERO).await.unwrap();
    host.enqueue(&message, Duration::from_secs(600)).await.unwrap();
    assert_eq!(host.waiting().await, Ok(Some(before + 1)));
}
