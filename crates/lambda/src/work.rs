//! The work function: SQS batches and the schedule.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use opencode_core::host::Message;
use opencode_core::isolate::Isolate;
use opencode_core::work::{Verdict, message, tick};
use opencode_net::answer::Gone;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::handle::Handle;
use crate::queue::seconds;
use crate::sdk::store_error;
use crate::start::Start;

/// The schedule's own event, as `template.yaml` gives it.
pub const TICK: &str = r#"{"opencode":"tick"}"#;

/// The most records that are handled of one event: SQS sends at most this many.
const MAX_BATCH: usize = 10_000;

/// Handles events until the runtime ends. Panics, as `lambda_runtime` does, where Lambda's own variables are missing.
pub async fn run(start: Start) -> Result<(), Error> {
    let service = service_fn(move |event: LambdaEvent<Value>| {
        handle(Arc::clone(&start.aws), Arc::clone(&start.isolate), event.payload)
    });
    lambda_runtime::run(service).await
}

/// Answers one event: an SQS batch with the messages that failed, a tick with what it did.
pub async fn handle(aws: Arc<Aws>, isolate: Arc<Isolate>, event: Value) -> Result<Value, Error> {
    match kind(&event) {
        Event::Batch => {
            let batch: Batch = serde_json::from_value(event)?;
            if batch.records.len() > MAX_BATCH {
                return Err(format!("a batch may have {MAX_BATCH} records").into());
            }
            Ok(batch.run(&aws, &isolate).await)
        }
        Event::Tick => {
            // Boxed for the same reason as in `http`.
            let ticked = Box::pin(tick(Handle::new(aws, Gone::never()), isolate)).await;
            for error in &ticked.errors {
                tracing::warn!("the tick could not do everything: {error}");
            }
            Ok(json!({"swept": ticked.swept, "rolled": ticked.rolled, "errors": ticked.errors}))
        }
        Event::Unknown => {
            Err("this function takes SQS batches and schedule events, and this is neither".into())
        }
    }
}

enum Event {
    Batch,
    Tick,
    Unknown,
}

fn kind(event: &Value) -> Event {
    if let Some(records) = event.get("Records").and_then(Value::as_array) {
        let sqs =
            records.iter().all(|record| record.get("eventSource").is_some_and(|from| from == "aws:sqs"));
        return if sqs { Event::Batch } else { Event::Unknown };
    }
    let ours = event.get("opencode").is_some_and(|what| what == "tick");
    let scheduled = event.get("source").is_some_and(|from| from == "aws.events" || from == "aws.scheduler");
    if ours || scheduled { Event::Tick } else { Event::Unknown }
}

#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

/// One delivery of one message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    receipt_handle: String,
    body: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    #[serde(default)]
    approximate_receive_count: String,
}

impl Batch {
    /// Handles all messages at once, each in a task of its own: one that panics fails alone.
    async fn run(self, aws: &Arc<Aws>, isolate: &Arc<Isolate>) -> Value {
        let tasks = self.records.into_iter().map(|record| {
            let id = record.message_id.clone();
            let task = tokio::spawn(record.run(Arc::clone(aws), Arc::clone(isolate)));
            async move {
                let done = task.await.unwrap_or_else(|error| {
                    tracing::error!("message {id} could not be handled: {error}");
                    false
                });
                (!done).then(|| json!({"itemIdentifier": id}))
            }
        });
        let failed: Vec<Value> = join_all(tasks).await.into_iter().flatten().collect();
        json!({ "batchItemFailures": failed })
    }
}

impl Record {
    /// Whether SQS may delete the message.
    async fn run(self, aws: Arc<Aws>, isolate: Arc<Isolate>) -> bool {
        let handle = Handle::new(aws, Gone::never());
        let attempt = self.attributes.approximate_receive_count.parse().unwrap_or(1);
        let verdict = match serde_json::from_str::<Message>(&self.body) {
            Ok(body) => message(handle.clone(), isolate, &body, attempt).await,
            Err(error) => {
                tracing::error!("message {} is not one of ours: {error}", self.message_id);
                Verdict::Dead
            }
        };
        match verdict {
            Verdict::Done => true,
            Verdict::Retry { after } => {
                self.show_again(&handle, after).await;
                false
            }
            // The redrive policy moves it once it was received often enough: no reason to wait for that.
            Verdict::Dead => {
                self.show_again(&handle, Duration::ZERO).await;
                false
            }
        }
    }

    /// Without it the message shows again after the queue's visibility timeout: later, not never.
    async fn show_again(&self, handle: &Handle, after: Duration) {
        let Ok(queue) = handle.queue_url() else { return };
        let change = handle.aws.sqs.change_message_visibility().queue_url(queue);
        let change = change.receipt_handle(&self.receipt_handle).visibility_timeout(seconds(after));
        if let Err(error) = change.send().await {
            tracing::warn!("message {}: {}", self.message_id, store_error("setting its delay", &error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_apart() {
        let is = |text: &str| match kind(&serde_json::from_str(text).unwrap()) {
            Event::Batch => "batch",
            Event::Tick => "tick",
            Event::Unknown => "unknown",
        };
        assert_eq!(is(TICK), "tick");
        assert_eq!(is(r#"{"source":"aws.events","detail-type":"Scheduled Event"}"#), "tick");
        assert_eq!(is(r#"{"Records":[{"eventSource":"aws:sqs"}]}"#), "batch");
        assert_eq!(is(r#"{"Records":[{"eventSource":"aws:s3"}]}"#), "unknown");
        assert_eq!(is("{}"), "unknown");
        assert_eq!(is("[]"), "unknown");
    }

    #[test]
    fn the_schedule_sends_what_is_read_as_a_tick() {
        assert!(include_str!("../../../template.yaml").contains(&format!("Input: '{TICK}'")));
    }
}
