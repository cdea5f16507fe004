//! The one configuration that every host is started with.

use opencode_core::identity::Tenant;
use opencode_core::identity::key;

use crate::wall::sandbox;

/// The deployment's secret, long enough to be accepted.
pub const SECRET: &str = "a-secret-of-the-tests-with-more-than-32-bytes";
/// What the platform sends to the wall.
pub const WALL_KEY: &str = "wall-key-of-the-tests";

/// API keys, one a tenant.
#[derive(Clone, Debug)]
pub struct Keys {
    /// A tenant without limits.
    pub acme: String,
    /// Another one.
    pub globex: String,
    /// A tenant with small limits: 3 answers a minute, 1 at once.
    pub tight: String,
    /// A tenant with one answer at once.
    pub single: String,
    /// A tenant with limits that it never meets.
    pub roomy: String,
    /// An operator.
    pub operator: String,
    /// A tenant with a cent a day.
    pub poor: String,
}

/// What a host is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The configuration's TOML text.
    pub config: String,
    /// The keys that it knows.
    pub keys: Keys,
}

impl Setup {
    /// A configuration whose targets `wall` and `wall2` are both the wall at this URL.
    pub fn new(wall: &str) -> Self {
        let mint = |name: &str| key::mint(&tenant(name), "k1", 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let keys = Keys {
            acme: mint("acme"),
            globex: mint("globex"),
            tight: mint("tight"),
            roomy: mint("roomy"),
            operator: mint("ops"),
            poor: mint("poor"),
            single: mint("single"),
        };
        let sandbox = wall.trim_end_matches("/v1");
        let mut config = format!(
            r#"debug = true

[deadlines]
connect_ms = 1500
first_content_ms = 2500
idle_ms = 2500
whole_ms = 15000
grace_ms = 1000

[retries]
attempts = 0

[features]
cache = true
cache_ttl_seconds = 60

[sandbox]
function = "wall"
region = "local"
endpoint = "{sandbox}"
access_key_id = "SANDBOX_KEY_ID"
secret_access_key = "SANDBOX_SECRET"
session_token = ""
usd_per_second = 0.01
[sandbox.limits]
output_bytes = 4096
[sandbox.most]
processes = 100

[queue]
max_attempts = 4
retry_ms = 500

[runs]
lease_ms = 3000

[[targets]]
name = "wall"
base_url = "{wall}"
model = "ok"
models = ["*"]
embeddings = ["*"]
secret = "WALL_KEY"
usd_per_mtok_in = 1.0
usd_per_mtok_out = 2.0

[[targets]]
name = "wall2"
base_url = "{wall}"
model = "ok"
models = ["*"]
secret = "WALL_KEY"

[[targets]]
name = "wall-responses"
base_url = "{wall}"
dialect = "responses"
model = "ok"
models = ["*"]
secret = "WALL_KEY"
usd_per_mtok_in = 1.0
usd_per_mtok_out = 2.0

[[targets]]
name = "wall-anthropic"
base_url = "{wall}"
dialect = "anthropic"
model = "ok"
models = ["*"]
secret = "WALL_KEY"
usd_per_mtok_in = 1.0
usd_per_mtok_out = 2.0

[[targets]]
name = "wall-gemini"
base_url = "{wall}beta"
dialect = "gemini"
model = "ok"
models = ["*"]
secret = "WALL_KEY"
usd_per_mtok_in = 1.0
usd_per_mtok_out = 2.0

[[tenants]]
name = "acme"

[[tenants]]
name = "globex"

[[tenants]]
name = "tight"
requests_per_minute = 3
concurrency = 1

[[tenants]]
name = "single"
concurrency = 1
[tenants.sandbox]
concurrency = 1
[tenants.sandbox.most]
wall_ms = 2000

[[tenants]]
name = "roomy"
requests_per_minute = 1000000
[tenants.sandbox]
enabled = false

[[tenants]]
name = "ops"

[[tenants]]
name = "poor"
usd_per_day = 0.01
"#
        );
        let all = [
            ("acme", &keys.acme),
            ("globex", &keys.globex),
            ("tight", &keys.tight),
            ("roomy", &keys.roomy),
            ("poor", &keys.poor),
            ("ops", &keys.operator),
            ("single", &keys.single),
        ];
        for (name, text) in all {
            let hash = key::hash(SECRET, text);
            let role = if name == "ops" { "operator" } else { "user" };
            config.push_str(&format!(
                "\n[[keys]]\nid = \"k1\"\ntenant = \"{name}\"\nhash = \"{hash}\"\nrole = \"{role}\"\n"
            ));
        }
        Self { config, keys }
    }

    /// Secrets and configuration by the names under which every host finds them.
    pub fn vars(&self) -> Vec<(&'static str, String)> {
        let mut vars = self.secrets();
        vars.push(("OPENCODE_CONFIG", self.config.clone()));
        vars
    }

    /// The secrets alone.
    pub fn secrets(&self) -> Vec<(&'static str, String)> {
        vec![
            ("OPENCODE_SECRET", SECRET.to_owned()),
            ("WALL_KEY", WALL_KEY.to_owned()),
            ("SANDBOX_KEY_ID", sandbox::KEY_ID.to_owned()),
            ("SANDBOX_SECRET", sandbox::SECRET.to_owned()),
        ]
    }
}

fn tenant(name: &str) -> Tenant {
    Tenant::try_from(name.to_owned()).expect("a tenant's name")
}
