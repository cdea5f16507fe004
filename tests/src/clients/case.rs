//! One case: a job for an SDK and everything that must come of it.

use serde_json::{Value, json};

use super::driver::Drivers;
use super::outcome;
use super::relay::Relay;
use super::schema::Schemas;
use super::sdk::{Client, Dialect};
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
    target: Dialect,
    gives: Value,
    says: &'static str,
    raises: Option<u16>,
    sends: Value,
    calls: Calls,
    wrong_key: bool,
    /// Lines, with `TAG` for the case's own tag.
    headers: String,
}

impl Case {
    /// Whether it runs on every host, not on native alone: the codecs are the same everywhere, so one translation for
    /// each client is enough there, and one way to wait.
    pub fn is_everywhere(&self, client: &Client) -> bool {
        let translated = ["dialects/", "broken/"].iter().any(|group| self.name.starts_with(group));
        let other = if client.dialect == Dialect::Chat { Dialect::Messages } else { Dialect::Chat };
        let once = self.target == client.dialect || self.target == other;
        !translated || (once && !client.name.ends_with("-async"))
    }
}

/// How many calls must reach the upstream.
#[derive(Clone, Copy)]
enum Calls {
    /// As many as the SDK made.
    AsSent,
    Exactly(usize),
    /// The platform may try again.
    Any,
}

impl Case {
    /// A job that is expected to succeed.
    pub fn new(name: &str, clients: &'static [Client], job: Value) -> Self {
        Self {
            name: name.to_owned(),
            clients,
            job,
            target: Dialect::Chat,
            gives: json!({ "error": null }),
            says: "",
            raises: None,
            sends: json!({}),
            calls: Calls::AsSent,
            wrong_key: false,
            headers: String::new(),
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

    /// Over the target that speaks this dialect, instead of chat completions.
    pub fn over(mut self, target: Dialect) -> Self {
        self.target = target;
        self
    }

    /// The text holds this.
    pub fn says(mut self, text: &'static str) -> Self {
        self.says = text;
        self
    }

    /// The SDK raises its exception for this status.
    pub fn raises(mut self, status: u16) -> Self {
        self.raises = Some(status);
        self.gives(json!({ "error": { "status": status, "is_api_error": true } }))
    }

    /// How many calls must reach the upstream. Unsaid: as many as the SDK made.
    pub fn calls(mut self, calls: usize) -> Self {
        self.calls = Calls::Exactly(calls);
        self
    }

    /// The platform may try an upstream again.
    pub fn tried_again(mut self) -> Self {
        self.calls = Calls::Any;
        self
    }

    /// With a key that nobody issued.
    pub fn wrong_key(mut self) -> Self {
        self.wrong_key = true;
        self
    }

    /// With a header of the platform's own; `TAG` in it is the case's tag.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// The same case not streamed and streamed.
    pub fn both(self) -> [Self; 2] {
        let [whole, streamed] = [false, true].map(|stream| {
            let mut job = self.job.clone();
            job["stream"] = json!(stream);
            let name = format!("{}/{}", self.name, if stream { "stream" } else { "whole" });
            let headers = self.headers.clone();
            Self { name, job, gives: self.gives.clone(), sends: self.sends.clone(), headers, ..self }
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
        let relay = Relay::start(&ctx.base_url, &self.headers.replace("TAG", &ctx.tag)).await?;
        let outcome = outcome::neutral(drivers.run(client, self.job_for(client, ctx, &relay)).await?);
        self.came(client, &outcome).map_err(|why| format!("{why}; the SDK gave {outcome}"))?;
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
            if exchange.complete || !exchange.body.is_empty() {
                schemas.map_or(Ok(()), |schemas| schemas.check(exchange))?;
            }
        }
        self.reached(client, ctx, &exchanges)
    }

    fn job_for(&self, client: Client, ctx: &Ctx, relay: &Relay) -> Value {
        let mut job = self.job.clone();
        let key = &ctx.keys.acme;
        let wrong = format!("{}{}", &key[..key.len() - 6], "aaaaaa");
        let named = |model: &str| match model.strip_prefix('=') {
            Some(name) => name.to_owned(),
            None => format!("{}/{model}~{}", self.target.target(), ctx.tag),
        };
        let model = self.job["params"]["model"].as_str().map(named);
        let key = if self.wrong_key { &wrong } else { key };
        client.address(&mut job, &relay.url, key, model.as_deref());
        job
    }

    /// The SDK made of the answer what it must.
    fn came(&self, client: Client, outcome: &Value) -> Result<(), String> {
        outcome::contains(outcome, &self.gives)?;
        if let Some(class) = self.raises.and_then(|status| client.class(status)) {
            same("the exception", outcome["error"]["class"].as_str(), Some(class))?;
        }
        let text = outcome["texts"][0].as_str().unwrap_or_default();
        check(text.contains(self.says), || format!("no {:?} in the text", self.says))?;
        outcome::holds_together(outcome, client.dialect)
    }

    /// Each request of the SDK reached the upstream; where that speaks the same dialect, as it was sent but for what the
    /// platform replaces.
    fn reached(&self, client: Client, ctx: &Ctx, exchanges: &[Exchange]) -> Result<(), String> {
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
        match self.calls {
            Calls::AsSent => same("calls to the upstream", bodies.len(), sent.len())?,
            Calls::Exactly(calls) => same("calls to the upstream", bodies.len(), calls)?,
            Calls::Any => return Ok(()),
        }
        if client.dialect == self.target {
            for (body, sent) in bodies.iter().zip(&sent) {
                same("the upstream's request", body, &passed_on(sent, self.target))?;
            }
        }
        match bodies.first() {
            Some(first) => outcome::contains(first, &self.sends)
                .map_err(|why| format!("{why}; the upstream got {first}")),
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

/// A request as an upstream of the caller's own dialect gets it: without the target's prefix and, in a chat, with the
/// platform's own wish for a usage frame. Gemini's model stands in the path.
fn passed_on(sent: &Value, dialect: Dialect) -> Value {
    let mut body = sent.clone();
    if let Some(model) = sent["model"].as_str() {
        let prefix = format!("{}/", dialect.target());
        body["model"] = json!(model.strip_prefix(&prefix).unwrap_or(model));
    }
    if dialect == Dialect::Chat && sent["stream"] == true {
        if !body["stream_options"].is_object() {
            body["stream_options"] = json!({});
        }
        body["stream_options"]["include_usage"] = json!(true);
    }
    if dialect == Dialect::Responses {
        body["store"] = json!(false);
    }
    body
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
