//! SQS's event source mapping and the schedule, in front of a pool.

use std::sync::Arc;
use std::time::Duration;

use opencode_lambda::work::TICK;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{Pool, event};
use crate::sqs::Sqs;

/// Batches that are worked on at once.
const BATCHES: usize = 2;
/// How long a message of a failed invocation stays hidden. Lambda leaves it to the queue's visibility timeout; a
/// test has no time for that.
const AGAIN_SECONDS: u64 = 1;

/// Polls the queue for ever.
pub async fn poll(pool: Arc<Pool>, sqs: Sqs) {
    let room = Arc::new(Semaphore::new(BATCHES));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match sqs.receive(1).await {
            Ok(messages) if !messages.is_empty() => {
                let (pool, sqs) = (Arc::clone(&pool), sqs.clone());
                tokio::spawn(async move {
                    deliver(&pool, &sqs, &messages).await;
                    drop(permit);
                });
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Invokes the schedule's event each second, for ever.
pub async fn ticks(pool: Arc<Pool>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _ = tick(&pool).await;
    }
}

/// Invokes the schedule's event once.
pub async fn tick(pool: &Pool) -> Result<(), String> {
    pool.invoke(TICK.as_bytes().to_vec()).await.whole().await.map(|_| ())
}

/// Invokes a batch once, past the queue; the answer says which messages failed.
pub async fn batch(pool: &Pool, messages: &[Value]) -> Result<Value, String> {
    let answer = pool.invoke(event::batch(messages).to_string().into_bytes()).await.whole().await?;
    serde_json::from_slice(&answer).map_err(|error| error.to_string())
}

/// One batch: what the function did not name as failed is deleted.
async fn deliver(pool: &Pool, sqs: &Sqs, messages: &[Value]) {
    let answer = batch(pool, messages).await;
    let text = |message: &Value, member: &str| message[member].as_str().unwrap_or_default().to_owned();
    let Ok(answer) = answer else {
        for message in messages {
            let _ = sqs.again(&text(message, "ReceiptHandle"), AGAIN_SECONDS).await;
        }
        return;
    };
    let failures = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
    for message in messages {
        if !failures.iter().any(|failure| failure["itemIdentifier"] == message["MessageId"]) {
            let _ = sqs.delete(&text(message, "ReceiptHandle")).await;
        }
    }
}
