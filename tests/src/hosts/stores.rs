//! What the Lambda host stands on: DynamoDB Local and ElasticMQ.

use std::path::Path;
use std::sync::Arc;

use opencode_lambda::aws::{Aws, Settings};
use opencode_lambda::tables;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::child::{Child, free_port};
use crate::sqs::Sqs;
use crate::suite::say;
use crate::tools;

/// The table's name.
pub const TABLE: &str = "opencode";
/// Deliveries before a message is dead.
pub const MAX_RECEIVES: u32 = 4;

/// Starts the stores for another program's tests: prints the environment that those read, and keeps them running until
/// standard input ends.
pub async fn lend() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let stores = Stores::start(folder.path()).await?;
    say(&format!("OPENCODE_TEST_DYNAMODB={}", stores.dynamodb));
    say(&format!("OPENCODE_TEST_SQS_QUEUE={}", stores.sqs.url()));
    say("");
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await.map_err(|error| error.to_string())?;
    Ok(())
}

/// Running stores with one table, a queue and its dead letters.
pub struct Stores {
    /// The queue.
    pub sqs: Sqs,
    /// The dead letters.
    pub dead: Sqs,
    dynamodb: String,
    _children: [Child; 2],
}

impl Stores {
    /// Starts both and makes the table. `folder` takes their settings and output.
    pub async fn start(folder: &Path) -> Result<Self, String> {
        let (dynamodb_port, sqs_port) = (free_port(), free_port());
        let mut dynamodb = dynamodb(folder, dynamodb_port)?;
        let mut elasticmq = elasticmq(folder, sqs_port)?;
        dynamodb.listens(dynamodb_port).await?;
        elasticmq.listens(sqs_port).await?;
        let endpoint = format!("http://127.0.0.1:{sqs_port}");
        let stores = Self {
            sqs: Sqs::new(&endpoint, "work"),
            dead: Sqs::new(&endpoint, "dead"),
            dynamodb: format!("http://127.0.0.1:{dynamodb_port}"),
            _children: [dynamodb, elasticmq],
        };
        stores.sqs.ready().await?;
        let aws = stores.client()?;
        tables::create(aws.dynamodb(), TABLE).await.map_err(|error| format!("the table: {error:?}"))?;
        Ok(stores)
    }

    /// The Lambda host's own clients for these stores.
    pub fn client(&self) -> Result<Arc<Aws>, String> {
        let set = self.env();
        let lookup =
            |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        Aws::new(Settings::from_env(lookup)?).map(Arc::new)
    }

    /// What a function needs in its environment to reach them.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb.clone()),
            ("AWS_ENDPOINT_URL_SQS", self.sqs.endpoint.clone()),
            ("OPENCODE_TABLE", TABLE.to_owned()),
            ("OPENCODE_QUEUE_URL", self.sqs.url()),
        ]
    }
}

fn dynamodb(folder: &Path, port: u16) -> Result<Child, String> {
    let mut java = java()?;
    java.arg("com.amazonaws.services.dynamodbv2.local.main.ServerRunner");
    java.args(["-inMemory", "-disableTelemetry", "-port", &port.to_string()]).current_dir(folder);
    Child::spawn(&mut java, &folder.join("dynamodb.log"))
}

fn elasticmq(folder: &Path, port: u16) -> Result<Child, String> {
    let settings = folder.join("elasticmq.conf");
    let text = format!(
        r#"include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-hostname = "127.0.0.1", bind-port = {port} }}
rest-stats {{ enabled = false }}
queues {{
  work {{ defaultVisibilityTimeout = 30 seconds, deadLettersQueue {{ name = dead, maxReceiveCount = {MAX_RECEIVES} }} }}
  dead {{ }}
}}
"#
    );
    std::fs::write(&settings, text).map_err(|error| error.to_string())?;
    let mut java = java()?;
    // The server's own main class comes last: a system property must stand before it.
    java.env("JAVA_TOOL_OPTIONS", format!("-Dconfig.file={}", settings.display()));
    java.arg("org.elasticmq.server.Main").current_dir(folder);
    Child::spawn(&mut java, &folder.join("elasticmq.log"))
}

fn java() -> Result<Command, String> {
    let lib = tools::path(tools::JAVA_LIB)?;
    let mut java = Command::new("java");
    java.arg("-Xmx256m").arg("-XX:TieredStopAtLevel=1").arg(format!("-Djava.library.path={}", lib.display()));
    java.arg("-cp").arg(format!("{}/*", lib.display()));
    Ok(java)
}
