//! A scripted sandbox behind Lambda's Invoke: what it says is what the code holds.
//!
//! The code's first line is `#FAULT~TAG`; of the lines after it each is said as it stands, once its [`TOKENS`] are
//! replaced. Only requests that [`SECRET`] has signed are answered.
//!
//! | fault | what comes |
//! |---|---|
//! | `say` | the lines, then a genuine end |
//! | `reset` | the lines, then RST |
//! | `drop` | the lines, then FIN inside the body |
//! | `eof` | the lines, then a proper end of the body without Lambda's own |
//! | `lost` | the lines, then Lambda's end with an error: the environment has died |
//! | `torn` | the lines, then bytes that are no event stream |
//! | `flood` | the lines, then one byte more than any answer may have, without an end |
//! | `hang` | the lines, then nothing |
//! | `NNN` | this status, in Lambda's words |
//! | none | there is no room: 429 |

use std::future::pending;
use std::io;

use bytes::Bytes;
use opencode_core::host::Time;
use opencode_core::wire::aws::event_stream::{CONTENT_TYPE, Message};
use opencode_core::wire::aws::sigv4::{Authorization, Request};
use serde_json::{Value, json};

use super::Shared;
use crate::h1::{Conn, Head};

/// What is sent to this sandbox is signed with these.
pub const KEY_ID: &str = "WALLSANDBOXKEYID";
/// See [`KEY_ID`].
pub const SECRET: &str = "wall-sandbox-secret-of-the-tests";
/// What is replaced in a line: the names of the files that were sent, standard input.
pub const TOKENS: [&str; 2] = ["$FILES", "$STDIN"];

/// A request for a run, as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whose environment was asked for.
    pub tenant: Option<String>,
    /// The execution.
    pub execution: Value,
}

/// Whether a request is for the sandbox.
pub(super) fn is_for(target: &str) -> bool {
    target.starts_with("/2021-11-15/functions/")
}

/// Answers one request; whether the connection can be used again.
pub(super) async fn invoked(mut conn: Conn, shared: &Shared, body: &[u8], head: &Head) -> Option<Conn> {
    let refuse = |status: u16, kind: &str| (status, kind.to_owned());
    let execution: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = execution["code"].as_str().unwrap_or_default();
    let (first, lines) = code.split_once('\n').unwrap_or((code, ""));
    let order = first.strip_prefix('#').and_then(|order| order.split_once('~'));
    let refused = match order {
        _ if !signed(head, body) => Some(refuse(403, "InvalidSignatureException")),
        _ if head.word(1) != "/2021-11-15/functions/wall/response-streaming-invocations" => {
            Some(refuse(404, "ResourceNotFoundException"))
        }
        None => Some(refuse(429, "TooManyRequestsException")),
        Some((fault, tag)) => {
            let tenant = head.header("x-amz-tenant-id").map(str::to_owned);
            let asked = Asked { tenant, execution: execution.clone() };
            shared.book.lock().unwrap().runs.entry(tag.to_owned()).or_default().push(asked);
            fault.parse().ok().map(|status| refuse(status, words(status)))
        }
    };
    if let Some((status, kind)) = refused {
        let headers = format!("x-amzn-errortype: {kind}:http://internal/\r\n");
        let body = json!({"Type": "User", "message": "refused by the wall"}).to_string();
        conn.respond(status, &headers, body.as_bytes()).await.ok()?;
        return Some(conn);
    }
    let (fault, _) = order?;
    said(&mut conn, &execution, lines).await.ok()?;
    match fault {
        "reset" => conn.reset(),
        "drop" => conn.fin().await,
        "hang" => pending().await,
        "eof" => conn.chunk(b"").await.ok()?,
        "torn" => {
            conn.chunk(&[0xff; 64]).await.ok()?;
            conn.chunk(b"").await.ok()?;
        }
        "flood" => while chunk(&mut conn, vec![b' '; 1024 * 1024]).await.is_ok() {},
        fault => {
            let end = if fault == "lost" { json!({"ErrorCode": "Runtime.ExitError"}) } else { json!({}) };
            let end = Message::event("InvokeComplete", Bytes::from(end.to_string()));
            conn.chunk(&end.encode()?).await.ok()?;
            conn.chunk(b"").await.ok()?;
        }
    }
    None
}

/// The head, and each line in two pieces.
async fn said(conn: &mut Conn, execution: &Value, lines: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {CONTENT_TYPE}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    conn.write(head.as_bytes()).await?;
    let names: Vec<&str> = execution["files"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|file| file["name"].as_str())
        .collect();
    let stdin = execution["stdin"].as_str().unwrap_or_default();
    for line in lines.lines() {
        let line = format!("{}\n", line.replace(TOKENS[0], &names.join(" ")).replace(TOKENS[1], stdin));
        let (before, after) = line.as_bytes().split_at(line.len() / 2);
        chunk(conn, before.to_vec()).await?;
        chunk(conn, after.to_vec()).await?;
    }
    Ok(())
}

async fn chunk(conn: &mut Conn, payload: Vec<u8>) -> io::Result<()> {
    let message = Message::event("PayloadChunk", payload.into());
    conn.chunk(&message.encode().unwrap_or_default()).await
}

fn words(status: u16) -> &'static str {
    match status {
        429 => "TooManyRequestsException",
        413 => "RequestTooLargeException",
        _ => "ServiceException",
    }
}

/// Whether the request is one that [`SECRET`] has signed, whenever that was.
fn signed(head: &Head, body: &[u8]) -> bool {
    let Some(authorization) = head.header("authorization").and_then(Authorization::parse) else {
        return false;
    };
    let headers: Option<Vec<(&str, &str)>> =
        authorization.headers.iter().map(|name| Some((*name, head.header(name)?))).collect();
    let (Some(headers), ["POST", path]) = (headers, [head.word(0), head.word(1)]) else { return false };
    let request = Request { method: "POST", path, query: "", headers: &headers, body };
    authorization.id == KEY_ID && authorization.holds(&request, SECRET, Time(0), u64::MAX)
}
