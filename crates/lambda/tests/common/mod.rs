//! A handle on a table of its own in DynamoDB Local.
#![allow(dead_code, clippy::print_stdout, clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::config::Credentials;
use opencode_core::host::{Clock, Key};
use opencode_core::identity::Tenant;
use opencode_lambda::aws::{Aws, Settings};
use opencode_lambda::handle::Handle;
use opencode_lambda::tables;
use opencode_net::answer::Gone;

static TABLES: AtomicU32 = AtomicU32::new(0);

/// The process's part, with a fresh table and, where `OPENCODE_TEST_SQS_QUEUE` names one, a queue. `None`, saying so,
/// without `OPENCODE_TEST_DYNAMODB`.
pub async fn aws() -> Option<Arc<Aws>> {
    let Ok(endpoint) = std::env::var("OPENCODE_TEST_DYNAMODB") else {
        assert!(
            std::env::var_os("OPENCODE_TEST_REQUIRED").is_none(),
            "the stores are required and OPENCODE_TEST_DYNAMODB is not set"
        );
        println!("skipped: OPENCODE_TEST_DYNAMODB (the endpoint of a DynamoDB Local) is not set");
        return None;
    };
    let queue = std::env::var("OPENCODE_TEST_SQS_QUEUE").ok();
    // `http://host:port` of the queue's URL.
    let sqs_endpoint = queue.as_ref().map(|url| url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/"));
    let mut settings = Settings {
        table: String::new(),
        queue,
        region: "us-east-1".to_owned(),
        credentials: Credentials::new("test", "test", None, None, "test"),
        dynamodb_endpoint: Some(endpoint),
        sqs_endpoint,
    };
    let number = TABLES.fetch_add(1, Ordering::Relaxed);
    let random = handle(&Arc::new(Aws::new(settings.clone()).unwrap())).random() as u32;
    settings.table = format!("opencode-test-{random:08x}-{number}");
    let aws = Aws::new(settings.clone()).unwrap();
    tables::create(aws.dynamodb(), &settings.table).await.unwrap();
    Some(Arc::new(aws))
}

/// A handle as a request has it.
pub fn handle(aws: &Arc<Aws>) -> Handle {
    Handle::new(Arc::clone(aws), Gone::never())
}

/// A tenant.
pub fn tenant(name: &str) -> Tenant {
    name.to_owned().try_into().unwrap()
}

/// A key of the tenant `acme`.
pub fn key(name: &str) -> Key {
    Key::new(&tenant("acme"), name)
}
