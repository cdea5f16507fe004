//! The AWS SDK over the HTTP client that the core's own requests take: one TLS set-up, one pool, no second stack.

use std::fmt;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::{Bytes, BytesMut};
use opencode_core::host::{ByteStream, StoreError};
use opencode_net::Client;

/// The largest answer that is read, in bytes: DynamoDB pages end at 1 MB, which base64 makes 1.4.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Sends the SDK's requests through [`Client`].
#[derive(Clone)]
pub(crate) struct Transport(Client);

impl Transport {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

impl HttpClient for Transport {
    /// The SDK's own attempt timeout drops the call, which aborts it: connectors have none.
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(send(self.0.clone(), request))
    }
}

async fn send(client: Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let Some(bytes) = body.bytes() else {
        return Err(ConnectorError::user("only bodies in memory are sent".into()));
    };
    let request = http::Request::from_parts(parts, Bytes::copy_from_slice(bytes));
    let io = |text: String| ConnectorError::io(text.into());
    let (parts, mut body) = client.fetch(request).await.map_err(|error| io(error.0))?.into_parts();
    let mut answer = BytesMut::new();
    while let Some(chunk) = body.next().await {
        answer.extend_from_slice(&chunk.map_err(|error| io(error.0))?);
        if answer.len() > MAX_ANSWER {
            return Err(ConnectorError::user("the answer is too large".into()));
        }
    }
    let response = http::Response::from_parts(parts, SdkBody::from(answer.freeze()));
    HttpResponse::try_from(response).map_err(|error| ConnectorError::user(error.into()))
}

/// What an operation's failure is to the core: its kind. AWS's own words name accounts and roles, so they go to the log
/// and not to callers.
pub(crate) fn store_error<E: ProvideErrorMetadata, R>(what: &str, error: &SdkError<E, R>) -> StoreError {
    let why = match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            let code = meta.code().unwrap_or("unknown");
            tracing::error!(what, code, message = meta.message().unwrap_or_default(), "AWS refused");
            code.to_owned()
        }
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) => std::error::Error::source(error).map_or(error.to_string(), ToString::to_string),
            None => "the request could not be sent".to_owned(),
        },
        SdkError::ResponseError(_) => "the answer could not be read".to_owned(),
        _ => "the request could not be made".to_owned(),
    };
    StoreError(format!("{what}: {why}"))
}
