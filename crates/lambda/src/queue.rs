//! The queue port on SQS. Dead letters are the queue's own redrive policy.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use opencode_core::host::{MAX_MESSAGE, Message, Queue, StoreError};

use crate::handle::Handle;
use crate::sdk::store_error;

/// The longest delay that SQS takes, in seconds.
pub(crate) const MAX_DELAY: i32 = 900;

impl Queue for Handle {
    async fn enqueue(&self, message: &Message, delay: Duration) -> Result<(), StoreError> {
        let body = serde_json::to_string(message).map_err(|error| StoreError(format!("enqueue: {error}")))?;
        if message.body.len() > MAX_MESSAGE {
            return Err(StoreError(format!("enqueue: a message may have {MAX_MESSAGE} bytes")));
        }
        let send = self.aws.sqs.send_message().queue_url(self.queue_url()?);
        let sent = send.message_body(body).delay_seconds(seconds(delay)).send().await;
        sent.map(|_| ()).map_err(|error| store_error("enqueue", &error))
    }

    async fn waiting(&self) -> Result<Option<u64>, StoreError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let get = self.aws.sqs.get_queue_attributes().queue_url(self.queue_url()?);
        let got = get.attribute_names(name.clone()).send().await;
        let got = got.map_err(|error| store_error("the queue", &error))?;
        Ok(got.attributes().and_then(|all| all.get(&name)).and_then(|count| count.parse().ok()))
    }
}

impl Handle {
    pub(crate) fn queue_url(&self) -> Result<&str, StoreError> {
        self.aws.queue.as_deref().ok_or_else(|| StoreError("OPENCODE_QUEUE_URL is not set".to_owned()))
    }
}

/// Whole seconds, never fewer than asked for, at most [`MAX_DELAY`].
pub(crate) fn seconds(delay: Duration) -> i32 {
    let whole = delay.as_millis().div_ceil(1_000);
    i32::try_from(whole).unwrap_or(MAX_DELAY).min(MAX_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_rounded_up_and_bounded() {
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(seconds(Duration::from_millis(1_001)), 2);
        assert_eq!(seconds(Duration::MAX), 900);
    }
}
