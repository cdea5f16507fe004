//! The task owns the answer: what its body and its `Gone` show in every way an answer can end.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use opencode_core::error::Error;
use opencode_core::serve::Reply;
use opencode_net::answer::{MAX_SEND, pipe, respond};

type Empty = stream::Empty<Bytes>;

fn refused(error: &Error) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(error.detail.clone()));
    *response.status_mut() = StatusCode::from_u16(error.status()).unwrap();
    response
}

#[tokio::test]
async fn chunks_arrive_as_sent_and_end_cleanly() {
    let answer = respond(refused, |_| async {
        Response::new(Reply::Stream(stream::iter([Bytes::from("a"), Bytes::new(), Bytes::from("b")])))
    });
    let body = answer.await.into_body();
    assert_eq!(http_body::Body::size_hint(&body).exact(), None);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "ab");
}

#[tokio::test]
async fn a_whole_body_has_a_length() {
    let answer = respond(refused, |_| async { Response::new(Reply::<Empty>::Whole(Bytes::from("abc"))) });
    let body = answer.await.into_body();
    assert_eq!(http_body::Body::size_hint(&body).exact(), Some(3));
    assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
}

#[tokio::test]
async fn a_task_that_dies_breaks_the_body() {
    let answer = respond(refused, |_| async {
        let dies = stream::unfold(0, |n| async move {
            assert!(n < 1, "dies on purpose");
            Some((Bytes::from("a"), n + 1))
        });
        Response::new(Reply::Stream(dies))
    });
    let mut body = answer.await.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn a_task_that_dies_before_its_head_is_an_error_of_ours() {
    async fn dies() -> Response<Reply<Empty>> {
        panic!("dies on purpose")
    }
    let answer = respond(refused, |_| dies()).await;
    assert_eq!(answer.status(), 500);
}

#[tokio::test]
async fn leaving_is_noticed_before_and_after_the_head_and_the_task_runs_on() {
    for leave_before_head in [true, false] {
        let (told, heard) = tokio::sync::oneshot::channel();
        let answer = respond(refused, |gone| async move {
            if leave_before_head {
                gone.wait().await;
            }
            let rest = stream::once(async move {
                gone.wait().await;
                gone.wait().await;
                told.send(()).unwrap();
                Bytes::from("late")
            });
            Response::new(Reply::Stream(rest))
        });
        if leave_before_head {
            assert!(tokio::time::timeout(Duration::from_millis(20), answer).await.is_err());
        } else {
            drop(answer.await);
        }
        heard.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_gone_after_the_bound() {
    let (writer, mut body) = pipe();
    let gone = writer.gone();
    let polled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polled);
    let items = stream::iter(0..5).map(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Bytes::from("x")
    });
    let task = tokio::spawn(writer.run(items));
    let begun = tokio::time::Instant::now();
    gone.wait().await;
    assert_eq!(begun.elapsed(), MAX_SEND);
    task.await.unwrap();
    assert_eq!(polled.load(Ordering::SeqCst), 5, "the stream is polled to its end");
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_err(), "a late reader sees a broken body");
}
