//! Outgoing HTTP/1.1 and HTTP/2: rustls with the web's public roots compiled in, so that start-up reads no files.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opencode_core::host::{ByteStream, NetError};

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(60);
/// How many unused connections are kept for one upstream.
const IDLE_PER_HOST: usize = 128;
/// How often an HTTP/2 connection that carries requests is asked whether it still lives, and how long it has to
/// answer.
const PING: Duration = Duration::from_secs(20);
/// The longest text of a [`NetError`], in bytes.
const MAX_TEXT: usize = 300;

/// Sends requests and keeps connections. Clones share the connections.
///
/// Follows no redirect, decompresses nothing, reads no proxy from the environment and has no timeout of its own.
/// A request that met a kept connection just as it closed is sent again on a new one, because it never arrived.
#[derive(Clone)]
pub struct Client {
    inner: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    /// A client without any connection yet. Fails if the TLS library cannot be set up.
    pub fn new() -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(PING));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let inner = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PING)
            .http2_adaptive_window(true)
            .build(connector);
        Ok(Self { inner })
    }

    /// `Net::fetch`: resolves with the response's head, whatever its status. Dropping the future, or later the
    /// body, ends the request upstream (HTTP/2: its stream; HTTP/1.1: its connection).
    pub async fn fetch(&self, request: Request<Bytes>) -> Result<Response<Body>, NetError> {
        let response = self.inner.request(request.map(Full::new)).await.map_err(|error| describe(&error))?;
        Ok(response.map(|inner| Body { inner, over: false }))
    }
}

/// A response's body.
pub struct Body {
    inner: hyper::body::Incoming,
    over: bool,
}

impl ByteStream for Body {
    async fn next(&mut self) -> Option<Result<Bytes, NetError>> {
        while !self.over {
            match self.inner.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(chunk) if !chunk.is_empty() => return Some(Ok(chunk)),
                    _ => {}
                },
                Some(Err(error)) => {
                    self.over = true;
                    return Some(Err(describe(&error)));
                }
                None => self.over = true,
            }
        }
        None
    }
}

/// The chain of causes, without repeats. None of these libraries puts a path, a query or a header into its texts.
fn describe(error: &dyn Error) -> NetError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    NetError(text)
}
