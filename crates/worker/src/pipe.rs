//! Writes an answer to its client while the answer lives on its own.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use futures::{Stream, StreamExt};
use js_sys::futures::JsFuture;
use js_sys::{Promise, Uint8Array};
use web_sys::WritableStreamDefaultWriter;
use worker::Delay;

use crate::gone::Gone;

/// How long one write may take; then the client counts as gone.
const WRITE: Duration = Duration::from_secs(60);

/// Writes each item at once. After the client has left the stream is still polled to its end, because that is
/// where the answer is settled.
pub async fn pump(stream: impl Stream<Item = Bytes>, writer: WritableStreamDefaultWriter, client: &Gone) {
    let mut stream = pin!(stream);
    while let Some(bytes) = stream.next().await {
        if bytes.is_empty() || client.is_set() {
            continue;
        }
        let write = writer.write_with_chunk(&Uint8Array::from(bytes.as_ref()));
        if !succeeds(write, client).await {
            client.set();
        }
    }
    if client.is_set() {
        // Closing would wait for the write that is stuck.
        let _ = JsFuture::from(writer.abort()).await;
    } else {
        succeeds(writer.close(), client).await;
    }
}

async fn succeeds(promise: Promise, client: &Gone) -> bool {
    match select(JsFuture::from(promise), pin!(given_up(client))).await {
        Either::Left((result, _)) => result.is_ok(),
        Either::Right(_) => false,
    }
}

async fn given_up(client: &Gone) {
    select(pin!(client.wait()), Delay::from(WRITE)).await;
}
