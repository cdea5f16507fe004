//! One running platform, whatever it runs on.

use std::path::Path;

use opencode_core::host::Time;
use serde_json::Value;
use tokio::sync::Mutex;

use super::emulator::Emulator;
use super::frozen::Frozen;
use super::native::Native;
use super::setup::{Keys, Setup};
use super::workerd::Workerd;
use super::wrangler::Wrangler;
use crate::client::{LIMIT, Request};
use crate::tools;

/// Which host it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The local server.
    Native,
    /// The Worker under `wrangler dev`.
    Workerd,
    /// The Worker on bare workerd: only the cases about clients that leave.
    BareWorkerd,
    /// The Lambda binary behind cargo-lambda's emulator.
    LambdaEmulator,
    /// The Lambda binary behind our own Runtime API, stopped when its response ends.
    LambdaFrozen,
}

impl Kind {
    /// The name in the suite's result.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Workerd => "workerd",
            Self::BareWorkerd => "workerd-bare",
            Self::LambdaEmulator => "lambda-emulator",
            Self::LambdaFrozen => "lambda-frozen",
        }
    }

    /// Whether the host learns that its client has left.
    pub fn notices_leaving(self) -> bool {
        self != Self::LambdaFrozen
    }

    /// Whether it has a queue and a schedule in the tests.
    pub fn works(self) -> bool {
        self != Self::BareWorkerd
    }
}

/// A running platform.
pub struct Platform {
    /// Which host it is.
    pub kind: Kind,
    /// Where it answers, without a slash at the end.
    pub base_url: String,
    /// One API key a tenant.
    pub keys: Keys,
    /// The configuration that it was started with.
    pub config: String,
    machine: Mutex<Machine>,
}

enum Machine {
    Native(Native),
    Wrangler(Wrangler),
    Workerd(Workerd),
    Emulator(Box<Emulator>),
    Frozen(Box<Frozen>),
}

impl Platform {
    /// Starts a host on fresh data in `folder`, asking the wall.
    pub async fn start(kind: Kind, wall: &str, folder: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let setup = Setup::new(wall);
        let (base_url, machine) = match kind {
            Kind::Native => {
                let native = Native::start(&setup, folder).await?;
                (native.url.clone(), Machine::Native(native))
            }
            Kind::Workerd => {
                let wrangler =
                    Wrangler::start(&tools::path(tools::WORKER_DIR)?, folder, &setup.vars()).await?;
                (wrangler.url.clone(), Machine::Wrangler(wrangler))
            }
            Kind::BareWorkerd => {
                let workerd = Workerd::start(&setup, folder).await?;
                (workerd.url.clone(), Machine::Workerd(workerd))
            }
            Kind::LambdaEmulator => {
                let emulator = Emulator::start(&setup, folder).await?;
                (emulator.url.clone(), Machine::Emulator(Box::new(emulator)))
            }
            Kind::LambdaFrozen => {
                let frozen = Frozen::start(&setup, folder).await?;
                (frozen.url.clone(), Machine::Frozen(Box::new(frozen)))
            }
        };
        let Setup { config, keys } = setup;
        Ok(Self { kind, base_url, keys, config, machine: Mutex::new(machine) })
    }

    /// A `GET` of a path.
    pub fn get(&self, path: &str) -> Request {
        Request::get(format!("{}{path}", self.base_url))
    }

    /// A `POST` of JSON to a path.
    pub fn post(&self, path: &str, body: &Value) -> Request {
        Request::post(format!("{}{path}", self.base_url), body)
    }

    /// A `PUT` of a configuration to a path.
    pub fn put(&self, path: &str, toml: &str) -> Request {
        let request = Request::new("PUT", format!("{}{path}", self.base_url));
        request.header("content-type", "application/toml").body(toml)
    }

    /// A `DELETE` of a path.
    pub fn delete(&self, path: &str) -> Request {
        Request::new("DELETE", format!("{}{path}", self.base_url))
    }

    /// A tenant's receipts.
    pub async fn receipts(&self, key: &str) -> Result<Vec<Value>, String> {
        self.receipts_after(key, "").await
    }

    /// A tenant's receipts after the one of this id.
    async fn receipts_after(&self, key: &str, id: &str) -> Result<Vec<Value>, String> {
        let mut receipts: Vec<Value> = Vec::new();
        loop {
            let after = receipts.last().and_then(|last| last["id"].as_str()).unwrap_or(id);
            let path = format!("/api/v1/receipts?limit=500&after={after}");
            let mut response = self.get(&path).key(key).send().await?;
            let json = response.json().await?;
            let page = json["receipts"].as_array().cloned();
            let page = page.ok_or_else(|| format!("no receipts: {} {json}", response.status))?;
            if page.is_empty() {
                return Ok(receipts);
            }
            receipts.extend(page);
        }
    }

    /// Waits until a tenant's receipts that mention `tag` look as wanted; gives them.
    pub async fn receipts_of(
        &self,
        key: &str,
        tag: &str,
        wanted: impl Fn(&[Value]) -> bool,
    ) -> Result<Vec<Value>, String> {
        self.receipts_since(Time(0), key, tag, wanted).await
    }

    /// The same, of answers that were asked for from a time on: a tenant's older ones need not be read.
    pub async fn receipts_since(
        &self,
        time: Time,
        key: &str,
        tag: &str,
        wanted: impl Fn(&[Value]) -> bool,
    ) -> Result<Vec<Value>, String> {
        let start = tokio::time::Instant::now();
        let before = opencode_core::trace::id(time, 0);
        loop {
            let mut receipts = self.receipts_after(key, &before).await?;
            // The tag stands at the end of the target that was asked.
            receipts.retain(|receipt| receipt.to_string().contains(&format!("~{tag}\"")));
            if wanted(&receipts) {
                return Ok(receipts);
            }
            if start.elapsed() > LIMIT {
                return Err(format!("the receipts of {tag} are {receipts:?}"));
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// Kills every process of the host where it stands and starts fresh ones on the same data. Call it from an
    /// exclusive case only.
    pub async fn kill_and_restart(&self) -> Result<(), String> {
        match &mut *self.machine.lock().await {
            Machine::Native(native) => native.restart().await,
            Machine::Wrangler(wrangler) => wrangler.restart().await,
            Machine::Workerd(workerd) => workerd.restart().await,
            Machine::Emulator(emulator) => emulator.restart().await,
            Machine::Frozen(frozen) => frozen.restart().await,
        }
    }

    /// Writes a configuration where an operator would, past every check: the native host's file, a value of Workers KV,
    /// a record of the table.
    pub async fn write_settings(&self, text: &str) -> Result<(), String> {
        match &*self.machine.lock().await {
            Machine::Native(native) => native.write_settings(text),
            Machine::Wrangler(wrangler) => wrangler.write_settings(text).await,
            Machine::Workerd(_) => Err("bare workerd keeps no settings".to_owned()),
            Machine::Emulator(emulator) => emulator.write_settings(text).await,
            Machine::Frozen(frozen) => frozen.write_settings(text).await,
        }
    }

    /// Hands the work function one batch of SQS messages; `None` on hosts whose batches cannot be made by hand.
    pub async fn batch(&self, messages: &[Value]) -> Result<Option<Value>, String> {
        match &*self.machine.lock().await {
            Machine::Emulator(emulator) => emulator.batch(messages).await.map(Some),
            Machine::Frozen(frozen) => frozen.batch(messages).await.map(Some),
            Machine::Native(_) | Machine::Workerd(_) | Machine::Wrangler(_) => Ok(None),
        }
    }

    /// How many messages lie in the platform's own dead letters, where a test can look at them: on SQS.
    pub async fn dead(&self) -> Result<Option<u64>, String> {
        match &*self.machine.lock().await {
            Machine::Emulator(emulator) => emulator.dead().await.map(Some),
            Machine::Frozen(frozen) => frozen.dead().await.map(Some),
            Machine::Native(_) | Machine::Workerd(_) | Machine::Wrangler(_) => Ok(None),
        }
    }

    /// Makes a schedule's tick happen where the host does not tick by itself.
    pub async fn tick(&self) -> Result<(), String> {
        match &*self.machine.lock().await {
            Machine::Wrangler(wrangler) => wrangler.tick().await,
            Machine::Emulator(emulator) => emulator.tick().await,
            Machine::Frozen(frozen) => frozen.tick().await,
            Machine::Native(_) | Machine::Workerd(_) => Ok(()),
        }
    }
}
