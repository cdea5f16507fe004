//! The Runtime API's four requests.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::{TcpListener, TcpStream};

use super::slot::Slot;
use super::{Part, TIMEOUT};
use crate::h1::{Conn, Head};

const BASE: &str = "/2018-06-01/runtime/";

/// Serves a slot's process.
pub(super) async fn listen(listener: TcpListener, slot: Arc<Slot>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&slot)));
    }
}

async fn connection(stream: TcpStream, slot: Arc<Slot>) {
    let mut conn = Conn::new(stream);
    while let Ok(Some(head)) = conn.head().await {
        if answer(&mut conn, &head, &slot).await.is_err() {
            return;
        }
    }
}

async fn answer(conn: &mut Conn, head: &Head, slot: &Arc<Slot>) -> io::Result<()> {
    let path = head.word(1).strip_prefix(BASE).unwrap_or_default();
    if path == "invocation/next" {
        return next(conn, slot).await;
    }
    match path.strip_prefix("invocation/").and_then(|rest| rest.split_once('/')) {
        Some((id, "response")) => response(conn, head, slot, id).await?,
        Some((id, "error")) => {
            let body = conn.rest(head.request_body()).await?;
            slot.end(id, Part::Failed(format!("the function failed: {}", String::from_utf8_lossy(&body))));
        }
        _ => {
            // `init/error`: the process says in its log what is wrong, and ends.
            conn.rest(head.request_body()).await?;
        }
    }
    conn.respond(202, "", br#"{"status":"OK"}"#).await
}

async fn next(conn: &mut Conn, slot: &Arc<Slot>) -> io::Result<()> {
    slot.asks();
    let job = {
        let mut events = slot.events.lock().await;
        tokio::select! {
            biased;
            () = conn.hung_up() => return Err(io::ErrorKind::ConnectionReset.into()),
            job = events.recv() => job.ok_or(io::ErrorKind::BrokenPipe)?,
        }
    };
    let id = slot.begin(job.reply);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let headers = format!(
        "lambda-runtime-aws-request-id: {id}\r\n\
         lambda-runtime-deadline-ms: {}\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:opencode\r\n\
         lambda-runtime-trace-id: Root=1-00000000-000000000000000000000000;Sampled=0\r\n",
        (now + TIMEOUT).as_millis()
    );
    conn.respond(200, &headers, &job.event).await
}

async fn response(conn: &mut Conn, head: &Head, slot: &Slot, id: &str) -> io::Result<()> {
    let mut body = head.request_body();
    loop {
        match conn.piece(&mut body).await {
            Ok(Some(piece)) => slot.part(id, Part::Data(piece)),
            Ok(None) => break,
            Err(error) => {
                slot.end(id, Part::Failed(format!("the response broke off: {error}")));
                return Err(error);
            }
        }
    }
    let last = match conn.trailer("lambda-runtime-function-error-type") {
        None => Part::Done,
        Some(kind) => Part::Failed(format!("the function failed in its stream: {kind}")),
    };
    slot.end(id, last);
    Ok(())
}
