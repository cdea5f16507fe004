//! A streaming Function URL: HTTP in front of a pool. It never tells a function that its client has left.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use super::{Invocation, Part, Pool, event};
use crate::h1::Conn;

/// Between the prelude's JSON and the body.
const MARK: [u8; 8] = [0; 8];

/// Starts a front on a free port; gives its URL.
pub async fn start(pool: Arc<Pool>) -> Result<String, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| error.to_string())?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, Arc::clone(&pool)));
        }
    });
    Ok(format!("http://127.0.0.1:{port}"))
}

async fn connection(stream: TcpStream, pool: Arc<Pool>) {
    let mut conn = Conn::new(stream);
    while let Ok(Some(head)) = conn.head().await {
        let Ok(body) = conn.rest(head.request_body()).await else { return };
        let mut invocation = pool.invoke(event::request(&head, &body).to_string().into_bytes()).await;
        if !forward(&mut conn, &mut invocation).await {
            return;
        }
    }
}

/// Writes a response to the client and reads it to its end in any case; false when the connection is over.
async fn forward(conn: &mut Conn, invocation: &mut Invocation) -> bool {
    let Some((prelude, first, ended)) = prelude(invocation).await else {
        return conn.respond(502, "", br#"{"message":"Internal Server Error"}"#).await.is_ok();
    };
    let mut there = conn.write(head(&prelude).as_bytes()).await.is_ok();
    if !first.is_empty() {
        there = there && conn.chunk(&first).await.is_ok();
    }
    if ended {
        return there && conn.chunk(b"").await.is_ok();
    }
    loop {
        match invocation.part().await {
            Part::Data(bytes) if bytes.is_empty() => {}
            Part::Data(bytes) => there = there && conn.chunk(&bytes).await.is_ok(),
            Part::Done => return there && conn.chunk(b"").await.is_ok(),
            Part::Failed(_) => return false,
        }
    }
}

/// Reads up to the end of the prelude; gives it, the body's first bytes, and whether that was all.
async fn prelude(invocation: &mut Invocation) -> Option<(Value, Bytes, bool)> {
    let mut read = BytesMut::new();
    let mut ended = false;
    loop {
        if let Some(at) = read.windows(MARK.len()).position(|bytes| bytes == MARK) {
            let json = serde_json::from_slice(&read[..at]).ok()?;
            let body = read.split_off(at + MARK.len()).freeze();
            return Some((json, body, ended));
        }
        if ended {
            return None;
        }
        match invocation.part().await {
            Part::Data(bytes) => read.extend_from_slice(&bytes),
            Part::Done => ended = true,
            Part::Failed(_) => return None,
        }
    }
}

fn head(prelude: &Value) -> String {
    let mut head = format!(
        "HTTP/1.1 {} -\r\ntransfer-encoding: chunked\r\n",
        prelude["statusCode"].as_u64().unwrap_or(200)
    );
    let framing = ["content-length", "transfer-encoding", "connection"];
    for (name, value) in prelude["headers"].as_object().into_iter().flatten() {
        if !framing.contains(&name.to_ascii_lowercase().as_str()) {
            head.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap_or_default()));
        }
    }
    for cookie in prelude["cookies"].as_array().into_iter().flatten() {
        head.push_str(&format!("set-cookie: {}\r\n", cookie.as_str().unwrap_or_default()));
    }
    head.push_str("\r\n");
    head
}
