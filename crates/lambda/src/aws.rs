//! What a process keeps for all its events: the AWS clients and the HTTP client under them.

use std::time::Duration;

use aws_sdk_dynamodb as dynamodb;
use aws_sdk_sqs as sqs;
use dynamodb::config::retry::RetryConfig;
use dynamodb::config::timeout::TimeoutConfig;
use dynamodb::config::{Credentials, Region, StalledStreamProtectionConfig};
use opencode_net::Client;

use crate::sdk::Transport;

/// One attempt of one call; a healthy one takes milliseconds.
const ATTEMPT: Duration = Duration::from_secs(3);
/// One call with its retries.
const CALL: Duration = Duration::from_secs(10);
/// Attempts of one call.
const ATTEMPTS: u32 = 3;
/// The first retry's mean delay.
const BACKOFF: Duration = Duration::from_millis(50);

/// Where the stores and the queue are, and with which credentials.
#[derive(Clone)]
pub struct Settings {
    /// The table's name.
    pub table: String,
    /// The queue's URL. Without it `enqueue` and `waiting` fail.
    pub queue: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// What requests are signed with.
    pub credentials: Credentials,
    /// Instead of the region's own DynamoDB endpoint.
    pub dynamodb_endpoint: Option<String>,
    /// Instead of the region's own SQS endpoint.
    pub sqs_endpoint: Option<String>,
}

impl Settings {
    /// Reads what Lambda and `template.yaml` put into the environment. The endpoints may be set by the AWS SDKs'
    /// own `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_SQS` and `AWS_ENDPOINT_URL`.
    pub fn from_env(set: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let need = |name: &str| set(name).ok_or_else(|| format!("{name} is not set"));
        let key = need("AWS_ACCESS_KEY_ID")?;
        let secret = need("AWS_SECRET_ACCESS_KEY")?;
        let endpoint = |name: &str| set(name).or_else(|| set("AWS_ENDPOINT_URL"));
        Ok(Self {
            table: need("OPENCODE_TABLE")?,
            queue: set("OPENCODE_QUEUE_URL"),
            region: need("AWS_REGION").or_else(|error| set("AWS_DEFAULT_REGION").ok_or(error))?,
            credentials: Credentials::new(key, secret, set("AWS_SESSION_TOKEN"), None, "environment"),
            dynamodb_endpoint: endpoint("AWS_ENDPOINT_URL_DYNAMODB"),
            sqs_endpoint: endpoint("AWS_ENDPOINT_URL_SQS"),
        })
    }
}

/// The clients. No connection is made before the first call.
pub struct Aws {
    pub(crate) net: Client,
    pub(crate) dynamodb: dynamodb::Client,
    pub(crate) table: String,
    pub(crate) sqs: sqs::Client,
    pub(crate) queue: Option<String>,
}

impl Aws {
    /// Fails if the TLS library cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let net = Client::new()?;
        let retry = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF);
        let timeout =
            TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(CALL).build();
        let mut dynamodb = dynamodb::Config::builder()
            .http_client(Transport::new(net.clone()))
            .region(Region::new(settings.region.clone()))
            .credentials_provider(settings.credentials.clone())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(retry.clone())
            .timeout_config(timeout.clone());
        dynamodb.set_endpoint_url(settings.dynamodb_endpoint);
        let mut sqs = sqs::Config::builder()
            .http_client(Transport::new(net.clone()))
            .region(Region::new(settings.region))
            .credentials_provider(settings.credentials)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(retry)
            .timeout_config(timeout);
        sqs.set_endpoint_url(settings.sqs_endpoint);
        Ok(Self {
            net,
            dynamodb: dynamodb::Client::from_conf(dynamodb.build()),
            table: settings.table,
            sqs: sqs::Client::from_conf(sqs.build()),
            queue: settings.queue,
        })
    }

    /// The DynamoDB client, for tests that make their own table.
    pub fn dynamodb(&self) -> &dynamodb::Client {
        &self.dynamodb
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }
}
