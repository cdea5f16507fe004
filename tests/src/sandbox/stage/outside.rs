//! What stands for the rest of the world: it keeps what reaches it, and knows the secrets that a machine's metadata
//! service gives to anybody who asks.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::Plan;
use super::ground::{INTERNET, METADATA};
use crate::sandbox::setup::Setup;
use crate::suite::RUNTIME;

/// X-Ray's daemon listens there on Lambda.
const TRACING: &str = "127.0.0.1:2000";

/// What has reached it.
#[derive(Default)]
pub struct Outside(Mutex<Vec<String>>);

impl Outside {
    /// Listens where the set-up has a way out.
    pub fn open(plan: &Plan) -> Result<Arc<Self>, String> {
        let outside = Arc::new(Self::default());
        if plan.setup == Setup::Control {
            RUNTIME.block_on(outside.listen(plan)).map_err(|error| format!("outside: {error}"))?;
        }
        Ok(outside)
    }

    /// Everything so far.
    pub fn received(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    async fn listen(self: &Arc<Self>, plan: &Plan) -> std::io::Result<()> {
        for (address, port, answer) in
            [(INTERNET, 443, String::new()), (METADATA, 80, plan.canary("file").to_owned())]
        {
            let listener = TcpListener::bind((address, port)).await?;
            let outside = Arc::clone(self);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(Arc::clone(&outside).hear(stream, answer.clone()));
                }
            });
        }
        for address in [format!("{INTERNET}:53"), TRACING.to_owned()] {
            let socket = UdpSocket::bind(address).await?;
            let outside = Arc::clone(self);
            tokio::spawn(async move {
                let mut bytes = [0; 2048];
                while let Ok(length) = socket.recv(&mut bytes).await {
                    outside.keep(&bytes[..length]);
                }
            });
        }
        Ok(())
    }

    async fn hear(self: Arc<Self>, mut stream: TcpStream, answer: String) {
        let mut bytes = [0; 2048];
        if let Ok(length) = stream.read(&mut bytes).await {
            self.keep(&bytes[..length]);
            let head = format!("HTTP/1.0 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
            let _ = stream.write_all(head.as_bytes()).await;
        }
    }

    fn keep(&self, bytes: &[u8]) {
        self.0.lock().unwrap().push(String::from_utf8_lossy(bytes).into_owned());
    }
}
