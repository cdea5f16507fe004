//! Cloudflare Queues: the port that sends and the `queue` event that receives.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use js_sys::{Array, Object, Reflect};
use opencode_core::host::{MAX_MESSAGE, Message, Queue, StoreError};
use opencode_core::isolate::Isolate;
use opencode_core::wire::json;
use opencode_core::work::{self, Verdict};
use wasm_bindgen::prelude::{JsCast, JsValue, wasm_bindgen};
use worker::{Env, QueueContentType, RawMessageBuilder, console_error};

use crate::edge::Edge;
use crate::{isolate, js};

/// The producer's binding.
const BINDING: &str = "QUEUE";

/// Before a batch that nobody could handle, because the configuration is broken, is delivered again.
const MENDED: Duration = Duration::from_secs(900);

impl Queue for Edge {
    async fn enqueue(&self, message: &Message, delay: Duration) -> Result<(), StoreError> {
        if message.body.len() > MAX_MESSAGE {
            return Err(StoreError(format!("a message may have {MAX_MESSAGE} bytes")));
        }
        let text = serde_json::to_string(message).map_err(|error| StoreError(error.to_string()))?;
        // A text: an object would be cloned field by field, and not every kind of object survives that.
        let message = RawMessageBuilder::new(text.into())
            .delay_seconds(seconds(delay))
            .build_with_content_type(QueueContentType::Text);
        let queue = self.env().queue(BINDING).map_err(|error| StoreError(js::reason(&error)))?;
        queue.send_raw(message).await.map_err(|error| StoreError(js::reason(&error)))
    }

    /// The platform does not tell a Worker how many messages wait.
    async fn waiting(&self) -> Result<Option<u64>, StoreError> {
        self.env().queue(BINDING).map(|_| None).map_err(|error| StoreError(js::reason(&error)))
    }
}

#[wasm_bindgen]
extern "C" {
    /// The platform's `MessageBatch`. The `worker` crate's type does not show how often a message was delivered.
    pub type Batch;
    #[wasm_bindgen(method, getter)]
    fn messages(this: &Batch) -> Array;
    #[wasm_bindgen(method, catch, js_name = retryAll)]
    fn retry_all(this: &Batch, options: &Object) -> Result<(), JsValue>;

    type Delivery;
    #[wasm_bindgen(method, getter)]
    fn body(this: &Delivery) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn attempts(this: &Delivery) -> Option<u32>;
    #[wasm_bindgen(method, catch)]
    fn ack(this: &Delivery) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn retry(this: &Delivery, options: &Object) -> Result<(), JsValue>;
}

/// The `queue` event. Messages of a batch are handled side by side, and each has its own verdict.
#[wasm_bindgen(
    js_name = queue,
    wasm_bindgen = ::worker::wasm_bindgen,
    wasm_bindgen_futures = ::worker::wasm_bindgen_futures,
    js_sys = ::worker::js_sys
)]
pub async fn consume(batch: Batch, env: Env, _context: JsValue) -> Result<(), JsValue> {
    let messages = batch.messages();
    let deliveries = messages.iter().map(JsCast::unchecked_into::<Delivery>);
    let isolate = match isolate::get(&env) {
        Ok(isolate) => isolate,
        Err(why) => {
            console_error!("queue: {why}");
            return batch.retry_all(&delayed(MENDED)?);
        }
    };
    let handled = join_all(deliveries.map(|delivery| handle(delivery, env.clone(), isolate.clone()))).await;
    handled.into_iter().collect()
}

async fn handle(delivery: Delivery, env: Env, isolate: Arc<Isolate>) -> Result<(), JsValue> {
    let Some(message) = parse(&delivery) else {
        console_error!("queue: a message that is not ours");
        return retry(&delivery, Duration::ZERO);
    };
    let attempt = delivery.attempts().unwrap_or(1);
    match work::message(Edge::new(env, None), isolate, &message, attempt).await {
        Verdict::Done => delivery.ack(),
        Verdict::Retry { after } => retry(&delivery, after),
        // Only the platform moves messages to the dead letters, and it does so for a retry too many: `max_retries`
        // in `wrangler.toml` is the configuration's `queue.max_attempts` - 1, so this delivery was the last.
        Verdict::Dead => retry(&delivery, Duration::ZERO),
    }
}

fn parse(delivery: &Delivery) -> Option<Message> {
    json::parse(&delivery.body().as_string()?).ok()
}

fn retry(delivery: &Delivery, after: Duration) -> Result<(), JsValue> {
    delivery.retry(&delayed(after)?)
}

fn delayed(after: Duration) -> Result<Object, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"delaySeconds".into(), &seconds(after).into())?;
    Ok(options)
}

/// Whole seconds, never fewer than asked for, at most the 15 minutes of the port.
fn seconds(delay: Duration) -> u32 {
    let up = u64::from(delay.subsec_nanos() > 0);
    u32::try_from(delay.as_secs().saturating_add(up).min(900)).unwrap_or(900)
}
