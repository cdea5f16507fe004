//! The server's own bounds, over real sockets. What the core answers is tested with the core.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use opencode_core::isolate::{Base, Isolate};
use opencode_native::{Options, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The largest body that these servers take.
const MAX_BODY: usize = 1024 * 1024;

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), String>>,
    folder: tempfile::TempDir,
}

async fn start() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let listen = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listen.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let secret = Some("a secret of at least thirty-two bytes".to_owned());
    let base = Base { secret, max_body: MAX_BODY, ..Base::default() };
    let options = Options {
        listen,
        data: folder.path().to_owned(),
        isolate: Isolate::new(base).unwrap(),
        settings: None,
        tick: Duration::from_millis(20),
        secrets: HashMap::new(),
    };
    let ended = tokio::spawn(run(options, async {
        let _ = stopped.await;
    }));
    Running { address, stop, ended, folder }
}

async fn exchange(address: SocketAddr, parts: &[&[u8]]) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    for part in parts {
        socket.write_all(part).await.unwrap();
    }
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_and_its_sender_sees_it() {
    let running = start().await;
    let body = vec![b'x'; MAX_BODY + 1];
    let announced = format!("GET / HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", body.len());
    let answer = exchange(running.address, &[announced.as_bytes(), &body]).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    // A stranger's body is not even read.
    let stranger = announced.replace("GET / ", "POST /v1/chat/completions ");
    let answer = exchange(running.address, &[stranger.as_bytes(), &body]).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");

    let chunked =
        format!("GET / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len());
    let answer = exchange(running.address, &[chunked.as_bytes(), &body, b"\r\n0\r\n\r\n"]).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_shutdown_takes_no_more_connections_and_ends() {
    let running = start().await;
    let answer =
        exchange(running.address, &[b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"]).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(running.folder.path().join("opencode.db").exists());

    let idle = TcpStream::connect(running.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(2), running.ended).await;
    assert_eq!(ended.unwrap().unwrap(), Ok(()), "an idle connection does not hold it up");
    assert!(TcpStream::connect(running.address).await.is_err());
    drop(idle);
}
