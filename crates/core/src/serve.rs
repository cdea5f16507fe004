//! One HTTP request, straight through.

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use http::{Request, Response, Uri};

use crate::error::Error;
use crate::host::Host;
use crate::isolate::Isolate;

/// The largest request body, in bytes. A host stops reading there and answers with [`refuse`]. Lambda takes 6 MB
/// with base64's third on top.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// The body of an answer.
pub enum Reply<S> {
    /// Known in full: it has a length.
    Whole(Bytes),
    /// Streamed. The host writes each item at once and polls to the end even when the caller has left.
    Stream(S),
}

/// Answers one request.
pub async fn serve<H: Host>(
    host: H,
    isolate: Arc<Isolate>,
    request: Request<Bytes>,
) -> Response<Reply<impl Stream<Item = Bytes> + use<H>>> {
    let _ = (host, isolate, request);
    Response::new(if true { Reply::Whole(Bytes::new()) } else { Reply::Stream(futures::stream::empty()) })
}

/// The answer to a request that the host could not read, in its surface's error shape.
pub fn refuse(uri: &Uri, error: &Error) -> Response<Bytes> {
    let _ = (uri, error);
    Response::new(Bytes::new())
}
