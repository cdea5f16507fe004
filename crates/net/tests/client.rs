//! The client over real sockets: a cut body is an error, errors keep the query to themselves, dropping aborts.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use opencode_core::host::ByteStream;
use opencode_net::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn request(port: u16) -> Request<Bytes> {
    Request::post(format!("http://127.0.0.1:{port}/path?key=hidden")).body(Bytes::from("{}")).unwrap()
}

/// Answers one request with `text`; hands the connection on when `text` is out.
async fn upstream(text: &'static str) -> (u16, tokio::task::JoinHandle<(String, TcpStream)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let read = socket.read(&mut head).await.unwrap();
        socket.write_all(text.as_bytes()).await.unwrap();
        (String::from_utf8_lossy(&head[..read]).into_owned(), socket)
    });
    (port, task)
}

#[tokio::test]
async fn a_response_is_read_to_its_end_and_redirects_stay() {
    let (port, task) = upstream("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 3\r\n\r\nabc").await;
    let response = Client::new().unwrap().fetch(request(port)).await.unwrap();
    assert_eq!(response.status(), 302);
    let mut body = response.into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "abc");
    assert_eq!(body.next().await, None);
    let (head, _socket) = task.await.unwrap();
    assert!(head.starts_with("POST /path?key=hidden HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-length: 2"), "{head}");
}

#[tokio::test]
async fn a_cut_body_is_an_error_and_then_over() {
    for head in ["content-length: 10\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let text: &'static str = Box::leak(format!("HTTP/1.1 200 OK\r\n{head}").into_boxed_str());
        let (port, task) = upstream(text).await;
        let mut body = Client::new().unwrap().fetch(request(port)).await.unwrap().into_body();
        assert_eq!(body.next().await.unwrap().unwrap(), "abc");
        drop(task.await.unwrap());
        let error = body.next().await.unwrap().unwrap_err();
        assert!(!error.0.is_empty());
        assert_eq!(body.next().await, None);
    }
}

#[tokio::test]
async fn errors_say_the_cause_and_keep_the_query() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let Err(error) = Client::new().unwrap().fetch(request(unused)).await else {
        panic!("nobody listens there")
    };
    assert!(error.0.contains("refused"), "{error}");
    assert!(!error.0.contains("hidden") && !error.0.contains("path"), "{error}");
}

#[tokio::test]
async fn dropping_the_future_or_the_body_closes_the_connection() {
    let (port, task) = upstream("").await;
    let client = Client::new().unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(200), client.fetch(request(port))).await.is_err());
    closed(task.await.unwrap().1).await;

    let (port, task) = upstream("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
    let mut body = client.fetch(request(port)).await.unwrap().into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "abc");
    drop(body);
    closed(task.await.unwrap().1).await;
}

async fn closed(mut socket: TcpStream) {
    let read = tokio::time::timeout(Duration::from_secs(1), socket.read(&mut [0; 16])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "the client must close");
}
