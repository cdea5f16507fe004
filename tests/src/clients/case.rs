//! One case: a job for an SDK and everything that must come of it.

use serde_json::{Value, json};

use super::driver::{AI, Client, Drivers};
use super::relay::Relay;
use super::schema::Schemas;
use super::wire::{self, Exchange};
use crate::hosts::ctx::{Ctx, check, same};
use crate::hosts::platform::Kind;

/// A row.
pub struct Case {
    /// `group/what`.
    pub name: String,
    /// Who runs it.
    pub clients: &'static [Client],
    /// The job: `op`, `stream`, `params` and so on. Its model is a fault of the wall, or after `=` any model's name.
    pub job: Value,
    gives: Value,
    sends: Value,
    calls: Option<usize>,
    wrong_key: bool,
}

impl Case {
    /// A job that is expected to succeed.
    pub fn new(name: &str, clients: &'static [Client], job: Value) -> Self {
        Self {
            name: name.to_owned(),
            clients,
            job,
            gives: json!({ "error": null }),
            sends: json!({}),
            calls: None,
            wrong_key: false,
        }
    }

    /// What the SDK must give: these members, others too.
    pub fn gives(mut self, members: Value) -> Self {
        merge(&mut self.gives, members);
        self
    }

    /// What the first request to the upstream must hold: these members, others too.
    pub fn sends(mut self, members: Value) -> Self {
        merge(&mut self.sends, members);
        self
    }

    /// The SDK raises its exception of this class for this status. `ai` has one class for all.
    pub fn raises(self, class: &str, status: u16) -> Self {
        self.gives(json!({ "error": { "class": class, "status": status, "is_api_error": true } }))
    }

    /// How many calls must reach the upstream. Unsaid: as many as the SDK made.
    pub fn calls(mut self, calls: usize) -> Self {
        self.calls = Some(calls);
        self
    }

    /// With a key that nobody issued.
    pub fn wrong_key(mut self) -> Self {
        self.wrong_key = true;
        self
    }

    /// The same case not streamed and streamed.
    pub fn both(self) -> [Self; 2] {
        let [whole, streamed] = [false, true].map(|stream| {
            let mut job = self.job.clone();
            job["stream"] = json!(stream);
            let name = format!("{}/{}", self.name, if stream { "stream" } else { "whole" });
            Self { name, job, gives: self.gives.clone(), sends: self.sends.clone(), ..self }
        });
        [whole, streamed]
    }

    /// Runs it.
    pub async fn run(
        &self,
        client: Client,
        ctx: &Ctx,
        drivers: &Drivers,
        schemas: Option<&Schemas>,
    ) -> Result<(), String> {
        let relay = Relay::start(&ctx.base_url).await?;
        let mut outcome = drivers.run(client, self.job_for(client, ctx, &relay)).await?;
        // Vercel writes `tool-calls`.
        if let Some(finish) = outcome["finish"].as_str().map(|finish| finish.replace('-', "_")) {
            outcome["finish"] = json!(finish);
        }
        contains(&outcome, &self.gives_to(client)).map_err(|why| format!("{why}; the SDK gave {outcome}"))?;
        let stopped = self.job["stop_after"].is_u64();
        if stopped {
            cancelled(ctx).await?;
        }
        let mut exchanges = Vec::new();
        for tape in relay.tapes() {
            exchanges.extend(wire::exchanges(&tape).await?);
        }
        check(!exchanges.is_empty(), || "nothing went by".to_owned())?;
        for exchange in &exchanges {
            answered(exchange, stopped || self.job["retries"].is_u64())?;
            schemas.map_or(Ok(()), |schemas| schemas.check(exchange))?;
        }
        self.reached(ctx, &exchanges)
    }

    fn job_for(&self, client: Client, ctx: &Ctx, relay: &Relay) -> Value {
        let mut job = self.job.clone();
        let key = &ctx.keys.acme;
        let wrong = format!("{}{}", &key[..key.len() - 6], "aaaaaa");
        job["sdk"] = json!(client.name());
        job["url"] = json!(format!("{}/v1", relay.url));
        job["key"] = json!(if self.wrong_key { &wrong } else { key });
        if let Some(model) = self.job["params"]["model"].as_str() {
            let model = model.strip_prefix('=').map_or_else(|| ctx.model(model), str::to_owned);
            job["params"]["model"] = json!(model);
        }
        job
    }

    fn gives_to(&self, client: Client) -> Value {
        let mut gives = self.gives.clone();
        if let (true, Some(error)) = (AI.contains(&client), gives["error"].as_object_mut()) {
            error.remove("class");
        }
        gives
    }

    /// Each request of the SDK reached the upstream as it was sent, but for the target's prefix and the platform's
    /// own wish for a usage frame.
    fn reached(&self, ctx: &Ctx, exchanges: &[Exchange]) -> Result<(), String> {
        if self.job["params"]["model"].as_str().is_none_or(|model| model.starts_with('=')) {
            return Ok(());
        }
        let sent: Vec<&Value> = exchanges.iter().map(|exchange| &exchange.request).collect();
        let bodies: Vec<Value> = ctx
            .wall
            .bodies(&ctx.tag)
            .iter()
            .map(|body| serde_json::from_str(body).unwrap_or_default())
            .collect();
        same("calls to the upstream", bodies.len(), self.calls.unwrap_or(sent.len()))?;
        for (body, sent) in bodies.iter().zip(&sent) {
            same("the upstream's request", body, &passed_on(sent))?;
        }
        match bodies.first() {
            Some(first) => {
                contains(first, &self.sends).map_err(|why| format!("{why}; the upstream got {first}"))
            }
            None => Ok(()),
        }
    }
}

/// What every answer has, whatever it is.
fn answered(exchange: &Exchange, may_be_left: bool) -> Result<(), String> {
    let Exchange { path, head, .. } = exchange;
    check(exchange.ends() || may_be_left, || format!("{path}: the answer was cut: {}", exchange.body))?;
    check(head.header("x-opencode-trace").is_some(), || format!("{path}: no x-opencode-trace"))?;
    let streams = exchange.media() == "text/event-stream";
    check(!streams || head.header("content-encoding").is_none(), || format!("{path}: a compressed stream"))
}

/// The upstream is left where the host can know that its client has gone.
async fn cancelled(ctx: &Ctx) -> Result<(), String> {
    let stats = ctx.quiet().await?;
    let notices = ctx.kind() != Kind::LambdaFrozen;
    same("upstream calls cancelled", stats.cancelled(), usize::from(notices))
}

fn passed_on(sent: &Value) -> Value {
    let mut body = sent.clone();
    let model = sent["model"].as_str().unwrap_or_default();
    body["model"] = json!(model.strip_prefix("wall/").unwrap_or(model));
    if sent["stream"] == true {
        if !body["stream_options"].is_object() {
            body["stream_options"] = json!({});
        }
        body["stream_options"]["include_usage"] = json!(true);
    }
    body
}

/// Whether `actual` has every member of `expected`, all the way down; a list must be as long.
fn contains(actual: &Value, expected: &Value) -> Result<(), String> {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().try_for_each(|(name, expected)| {
                let actual = actual.get(name).unwrap_or(&Value::Null);
                contains(actual, expected).map_err(|why| format!("{name}: {why}"))
            })
        }
        (Value::Array(actual), Value::Array(expected)) if actual.len() == expected.len() => {
            actual.iter().zip(expected).try_for_each(|(actual, expected)| contains(actual, expected))
        }
        _ if actual == expected => Ok(()),
        _ => Err(format!("{actual}, not {expected}")),
    }
}

fn merge(into: &mut Value, members: Value) {
    match (into, members) {
        (Value::Object(into), Value::Object(members)) => {
            for (name, member) in members {
                merge(into.entry(name).or_insert(Value::Null), member);
            }
        }
        (into, member) => *into = member,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_and_a_difference_too() {
        let whole = json!({ "a": 1, "b": { "c": [{ "d": 2, "e": 3 }] } });
        assert!(contains(&whole, &json!({ "b": { "c": [{ "d": 2 }] }, "none": null })).is_ok());
        for wrong in [json!({ "a": 2 }), json!({ "b": { "c": [] } }), json!({ "x": 1 })] {
            assert!(contains(&whole, &wrong).is_err(), "{wrong}");
        }
    }
}
