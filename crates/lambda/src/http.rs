//! The HTTP function: one request, answered through the runtime's response stream.
//!
//! A process is frozen once the answer's last byte is sent and it asks for the next event. So it asks only when the
//! answer's task has ended, whether or not somebody still reads the answer.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::header::SET_COOKIE;
use http::{Request, Response};
use http_body_util::BodyExt;
use lambda_runtime::tower::util::MapFutureLayer;
use lambda_runtime::{Error, LambdaEvent, MetadataPrelude, Runtime, StreamResponse, service_fn};
use opencode_core::error::Error as OurError;
use opencode_core::isolate::Isolate;
use opencode_core::serve::{Reply, admit, refuse, serve, too_large};
use opencode_net::answer::{Body, Gone, respond};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::aws::Aws;
use crate::event::UrlEvent;
use crate::handle::Handle;
use crate::start::Start;

/// Answers events until the runtime ends. Panics, as `lambda_runtime` does, where Lambda's own variables are missing.
pub async fn run(start: Start) -> Result<(), Error> {
    let answering = Arc::new(Semaphore::new(1));
    let settled = {
        let answering = Arc::clone(&answering);
        MapFutureLayer::new(move |sending| settle(sending, Arc::clone(&answering)))
    };
    let service = service_fn(move |event: LambdaEvent<UrlEvent>| {
        answer(Arc::clone(&start.aws), Arc::clone(&start.isolate), Arc::clone(&answering), event.payload)
    });
    Runtime::new(service).layer(settled).run().await
}

/// Waits for the answer to be sent and for its task to end. An answer that could not be sent, as when its reader has
/// left, is no reason to stop.
async fn settle(
    sending: impl Future<Output = Result<(), Error>>,
    answering: Arc<Semaphore>,
) -> Result<(), Error> {
    if let Err(error) = sending.await {
        tracing::warn!("an answer was not sent to its end: {error}");
    }
    let _ = answering.acquire().await;
    Ok(())
}

async fn answer(
    aws: Arc<Aws>,
    isolate: Arc<Isolate>,
    answering: Arc<Semaphore>,
    event: UrlEvent,
) -> Result<StreamResponse<impl Stream<Item = Result<Bytes, Infallible>> + Unpin + Send + 'static>, Error> {
    let permit = Arc::clone(&answering).acquire_owned().await?;
    let uri = event.uri().unwrap_or_default();
    let stranger = Handle::new(Arc::clone(&aws), Gone::never());
    let lost = |error: &OurError| refuse(&stranger, &uri, error);
    let response = match event.into_request() {
        Err(error) => lost(&error).map(Body::whole),
        Ok(request) => {
            respond(lost, |gone| {
                let handle = Handle::new(aws, gone);
                // Boxed: the runtime wraps it many times over, and so need not know how large it is.
                Box::pin(admit_and_serve(handle, isolate, request, permit))
            })
            .await
        }
    };
    Ok(streamed(response, answering))
}

async fn admit_and_serve(
    handle: Handle,
    isolate: Arc<Isolate>,
    request: Request<Bytes>,
    permit: OwnedSemaphorePermit,
) -> Response<Reply<impl Stream<Item = Bytes>>> {
    let (parts, body) = request.into_parts();
    match admit(&handle, &isolate, parts).await {
        Err(response) => response.map(Reply::Whole),
        Ok(admitted) if body.len() > admitted.max_body() => {
            admitted.refuse(&handle, &too_large(admitted.max_body())).map(Reply::Whole)
        }
        Ok(admitted) => serve(handle, admitted, body).await.map(|reply| with(reply, permit)),
    }
}

/// Keeps the permit until the answer's stream is dropped.
fn with<S: Stream<Item = Bytes>>(
    reply: Reply<S>,
    permit: OwnedSemaphorePermit,
) -> Reply<impl Stream<Item = Bytes>> {
    match reply {
        Reply::Whole(bytes) => Reply::Whole(bytes),
        Reply::Stream(stream) => Reply::Stream(stream.map(move |chunk| {
            let _kept = &permit;
            chunk
        })),
    }
}

fn streamed(
    response: Response<Body>,
    answering: Arc<Semaphore>,
) -> StreamResponse<impl Stream<Item = Result<Bytes, Infallible>> + Unpin + Send + 'static> {
    let (parts, body) = response.into_parts();
    let mut headers = parts.headers;
    let cookies = headers.get_all(SET_COOKIE).iter();
    let cookies = cookies.filter_map(|cookie| cookie.to_str().ok().map(str::to_owned)).collect();
    headers.remove(SET_COOKIE);
    let stream = body.into_data_stream().then(move |chunk| {
        let answering = Arc::clone(&answering);
        async move {
            match chunk {
                Ok(chunk) => Ok(chunk),
                Err(broken) => {
                    // The runtime would write an error's text into the body and end it as if it were complete. A
                    // process that ends does cut the stream, once what can be settled is.
                    let _ = answering.acquire().await;
                    tracing::error!("{broken}: this process ends, so that the caller's stream is cut");
                    std::process::exit(1)
                }
            }
        }
    });
    StreamResponse {
        metadata_prelude: MetadataPrelude { status_code: parts.status, headers, cookies },
        stream: Box::pin(stream),
    }
}
