//! SQS's JSON protocol, as much as a poller needs. ElasticMQ asks for no signature.

use serde_json::{Value, json};

use crate::client::Request;

/// One queue.
#[derive(Clone)]
pub struct Sqs {
    /// For example `http://127.0.0.1:9324`.
    pub endpoint: String,
    name: String,
}

impl Sqs {
    /// A queue that the server was started with.
    pub fn new(endpoint: &str, name: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), name: name.to_owned() }
    }

    /// What `QueueUrl` is.
    pub fn url(&self) -> String {
        format!("{}/000000000000/{}", self.endpoint, self.name)
    }

    /// Waits until the server answers for the queue.
    pub async fn ready(&self) -> Result<(), String> {
        for _ in 0..100 {
            if self.count().await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        self.count().await.map(|_| ())
    }

    /// Sends a body as it is.
    pub async fn send(&self, body: &str) -> Result<(), String> {
        self.call("SendMessage", json!({ "MessageBody": body })).await.map(|_| ())
    }

    /// Up to ten messages, waiting up to so many seconds for the first.
    pub async fn receive(&self, wait: u64) -> Result<Vec<Value>, String> {
        let what = json!({
            "MaxNumberOfMessages": 10, "WaitTimeSeconds": wait,
            "AttributeNames": ["All"], "MessageSystemAttributeNames": ["All"],
        });
        let got = self.call("ReceiveMessage", what).await?;
        Ok(got["Messages"].as_array().cloned().unwrap_or_default())
    }

    /// Removes a received message.
    pub async fn delete(&self, receipt: &str) -> Result<(), String> {
        self.call("DeleteMessage", json!({ "ReceiptHandle": receipt })).await.map(|_| ())
    }

    /// Makes a received message visible again after so many seconds.
    pub async fn again(&self, receipt: &str, seconds: u64) -> Result<(), String> {
        let what = json!({ "ReceiptHandle": receipt, "VisibilityTimeout": seconds });
        self.call("ChangeMessageVisibility", what).await.map(|_| ())
    }

    /// How many messages are visible.
    pub async fn count(&self) -> Result<u64, String> {
        let got = self.call("GetQueueAttributes", json!({ "AttributeNames": ["All"] })).await?;
        let count = got["Attributes"]["ApproximateNumberOfMessages"].as_str().unwrap_or_default();
        count.parse().map_err(|_| format!("no count in {got}"))
    }

    async fn call(&self, action: &str, mut what: Value) -> Result<Value, String> {
        what["QueueUrl"] = self.url().into();
        let request = Request::new("POST", format!("{}/", self.endpoint))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", &format!("AmazonSQS.{action}"))
            .body(what.to_string());
        let mut response = request.send().await?;
        let text = response.text().await?;
        if response.status != 200 {
            return Err(format!("{action}: {} {text}", response.status));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}
