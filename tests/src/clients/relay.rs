//! A pass-through between a client and the platform that keeps every byte that went by. To the first request of a
//! connection it can add headers, for what an SDK has no parameter.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// The most that is kept of one direction of a connection, in bytes. More ends the connection.
const MAX_KEPT: usize = 16 * 1024 * 1024;

/// A listener of one case's own, so that what it keeps is that case's.
pub struct Relay {
    /// The platform's URL with this listener's address in it.
    pub url: String,
    tapes: Tapes,
    accepting: AbortHandle,
}

/// What went by on one connection.
#[derive(Clone, Default)]
pub struct Tape {
    /// What the client sent.
    pub sent: Vec<u8>,
    /// What the client received.
    pub received: Vec<u8>,
}

/// Where a connection leads.
#[derive(Clone)]
struct To {
    platform: String,
    headers: String,
}

type Tapes = Arc<Mutex<Vec<Tape>>>;

impl Relay {
    /// Listens on a free port for connections to `platform`, for example `http://127.0.0.1:4000/path`. `headers` are
    /// whole lines.
    pub async fn start(platform: &str, headers: &str) -> Result<Self, String> {
        let rest = platform.strip_prefix("http://").ok_or("only http:// is spoken here")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let failed = |error: io::Error| format!("the relay: {error}");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let slash = if path.is_empty() { "" } else { "/" };
        let url = format!("http://127.0.0.1:{port}{slash}{path}");
        let tapes = Tapes::default();
        let to = To { platform: authority.to_owned(), headers: headers.to_owned() };
        let accepting = tokio::spawn(accept(listener, to, Arc::clone(&tapes)));
        Ok(Self { url, tapes, accepting: accepting.abort_handle() })
    }

    /// What has gone by so far, by connection.
    pub fn tapes(&self) -> Vec<Tape> {
        self.tapes.lock().unwrap().clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, to: To, tapes: Tapes) {
    while let Ok((client, _)) = listener.accept().await {
        let index = {
            let mut tapes = tapes.lock().unwrap();
            tapes.push(Tape::default());
            tapes.len() - 1
        };
        let (to, tapes) = (to.clone(), Arc::clone(&tapes));
        // An error is a side that went away; dropping both connections tells the other.
        tokio::spawn(async move {
            let _ = pass(client, &to, &tapes, index).await;
        });
    }
}

async fn pass(client: TcpStream, to: &To, tapes: &Tapes, index: usize) -> io::Result<()> {
    let platform = TcpStream::connect(&to.platform).await?;
    client.set_nodelay(true)?;
    platform.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_platform, to_platform) = platform.into_split();
    let sent = |bytes: &[u8]| keep(&mut tapes.lock().unwrap()[index].sent, bytes);
    let received = |bytes: &[u8]| keep(&mut tapes.lock().unwrap()[index].received, bytes);
    tokio::try_join!(
        copy(from_client, to_platform, &to.headers, sent),
        copy(from_platform, to_client, "", received)
    )?;
    Ok(())
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut headers: &str,
    keep: impl Fn(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let mut bytes = &buffer[..read];
        keep(bytes)?;
        // Behind the request's own line, which comes with the first bytes.
        if !headers.is_empty()
            && let Some(end) = bytes.iter().position(|byte| *byte == b'\n')
        {
            to.write_all(&bytes[..=end]).await?;
            to.write_all(headers.as_bytes()).await?;
            (bytes, headers) = (&bytes[end + 1..], "");
        }
        to.write_all(bytes).await?;
    }
}

fn keep(tape: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    if tape.len() + bytes.len() > MAX_KEPT {
        return Err(io::Error::other("more than a case may send or receive"));
    }
    tape.extend_from_slice(bytes);
    Ok(())
}
