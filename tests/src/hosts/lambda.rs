//! What both ways of running the Lambda binary share.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use opencode_core::host::{Clock as _, Key, Records as _, Swap};
use opencode_core::identity::Tenant;
use opencode_lambda::handle::Handle;
use opencode_net::answer::Gone;
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::setup::Setup;
use super::stores::Stores;
use crate::runtime_api::{Function, Pool, TIMEOUT, work};
use crate::tools;

/// Processes of the work function.
const WORKERS: usize = 2;

/// The stores and the work function: queue and schedule are the same wherever requests come from.
pub struct Back {
    /// DynamoDB Local and ElasticMQ.
    pub stores: Stores,
    /// The work function's processes.
    pub work: Arc<Pool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Back {
    /// Starts them.
    pub async fn start(setup: &Setup, folder: &Path) -> Result<Self, String> {
        let stores = Stores::start(folder).await?;
        let function = function("work", setup, &stores)?;
        let pool = Pool::start(function, WORKERS, &folder.join("work.log")).await?;
        let tasks = vec![
            tokio::spawn(work::poll(Arc::clone(&pool), stores.sqs.clone())),
            tokio::spawn(work::ticks(Arc::clone(&pool))),
        ];
        Ok(Self { stores, work: pool, tasks })
    }
}

impl Back {
    /// Writes a configuration into the table, as the platform's own route does once it has checked it.
    pub async fn write_settings(&self, text: &str) -> Result<(), String> {
        let handle = Handle::new(self.stores.client()?, Gone::never());
        let (key, now) = (Key::new(&Tenant::system(), "config"), handle.now());
        let seen = handle.read(&key, now).await.map_err(|error| error.to_string())?;
        let seen = seen.map_or(0, |stored| stored.version);
        let value = Bytes::from(text.to_owned());
        match handle.swap(&key, seen, value, None, now).await.map_err(|error| error.to_string())? {
            Swap::Done(_) => Ok(()),
            Swap::Lost(_) => Err("the record is being changed by another".to_owned()),
        }
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.work.stop();
    }
}

/// The binary as `http` or `work`, with the environment that Lambda gives it.
pub fn function(name: &'static str, setup: &Setup, stores: &Stores) -> Result<Function, String> {
    let binary = tools::path(tools::LAMBDA_BIN)?;
    let mut env = setup.vars();
    env.extend(stores.env());
    env.extend([
        ("OPENCODE_FUNCTION", name.to_owned()),
        ("OPENCODE_TIMEOUT_SECONDS", TIMEOUT.as_secs().to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", format!("opencode-{name}")),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/opencode".to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "tests".to_owned()),
    ]);
    Ok(Arc::new(move || {
        let mut command = Command::new(&binary);
        command.env_clear().envs(env.iter().cloned());
        Ok(command)
    }))
}
