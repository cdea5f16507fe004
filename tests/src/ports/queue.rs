//! A queue's delay. SQLite's claims are tested beside them, Workers Queues in the `hosts` suite.

use std::sync::Arc;
use std::time::Duration;

use opencode_core::host::{Message, Queue as _};
use opencode_core::identity::Tenant;
use opencode_lambda::aws::Aws;
use opencode_lambda::handle::Handle;
use opencode_net::answer::Gone;

use crate::sqs::Sqs;

/// A message with a delay comes after one without that was sent later, and not before its time.
pub async fn sqs(aws: Arc<Aws>, queue: Sqs) -> Result<(), String> {
    let handle = Handle::new(aws, Gone::never());
    let start = std::time::Instant::now();
    let tenant = Tenant::try_from("acme".to_owned())?;
    for (body, delay) in [("late", 2), ("early", 0)] {
        let message = Message { topic: "test".to_owned(), tenant: tenant.clone(), body: body.to_owned() };
        handle.enqueue(&message, Duration::from_secs(delay)).await.map_err(|error| error.to_string())?;
    }
    let mut came = Vec::new();
    while came.len() < 2 && start.elapsed() < Duration::from_secs(20) {
        for received in queue.receive(5).await? {
            let text = received["Body"].as_str().unwrap_or_default();
            let message: Message =
                serde_json::from_str(text).map_err(|error| format!("{error} in {text}"))?;
            came.push((message.body, start.elapsed() >= Duration::from_millis(1_900)));
            queue.delete(received["ReceiptHandle"].as_str().unwrap_or_default()).await?;
        }
    }
    match came.as_slice() {
        [(first, _), (second, true)] if first == "early" && second == "late" => Ok(()),
        _ => Err(format!("the messages came as {came:?}")),
    }
}
