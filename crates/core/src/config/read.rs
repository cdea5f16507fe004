//! What each table of the configuration holds, in the order in which an unknown name is told of them.

use super::features::Features;
use super::problem::Problem;
use super::rows::{KeyRow, TargetRow, TenantRow};
use super::sandbox::{Sandbox, TenantSandbox};
use super::table::Table;
use super::{Auth, Config, Cors, Deadlines, Hedge, Limits, QueueRules, Retries, RunRules};
use crate::identity::Tenant;
use crate::identity::role::Role;
use crate::sandbox::Limits as CodeLimits;
use crate::wire::Dialect;

const ROLES: [Role; 4] = [Role::Readonly, Role::User, Role::Admin, Role::Operator];
const DIALECTS: [(&str, Dialect); 4] = [
    ("openai", Dialect::OpenAi),
    ("responses", Dialect::Responses),
    ("anthropic", Dialect::Anthropic),
    ("gemini", Dialect::Gemini),
];

pub(super) fn config(mut table: Table<'_>) -> Result<Config, Problem> {
    let config = Config {
        debug: table.truth("debug").unwrap_or_default(),
        deadlines: table.table("deadlines", deadlines),
        hedge: table.table("hedge", hedge),
        retries: table.table("retries", retries),
        limits: table.table("limits", limits),
        auth: table.table("auth", auth),
        cors: table.table("cors", cors),
        features: table.table("features", features),
        queue: table.table("queue", queue),
        runs: table.table("runs", runs),
        sandbox: table.table("sandbox", sandbox),
        targets: table.rows("targets", target),
        tenants: table.rows("tenants", tenant),
        keys: table.rows("keys", key),
    };
    table.end(config)
}

fn deadlines(mut table: Table<'_>) -> Result<Deadlines, Problem> {
    let default = Deadlines::default();
    let deadlines = Deadlines {
        connect_ms: table.whole("connect_ms").unwrap_or(default.connect_ms),
        first_content_ms: table.whole("first_content_ms").unwrap_or(default.first_content_ms),
        idle_ms: table.whole("idle_ms").unwrap_or(default.idle_ms),
        whole_ms: table.whole("whole_ms").unwrap_or(default.whole_ms),
        grace_ms: table.whole("grace_ms").unwrap_or(default.grace_ms),
    };
    table.end(deadlines)
}

fn hedge(mut table: Table<'_>) -> Result<Hedge, Problem> {
    let hedge = Hedge { after_ms: table.whole("after_ms").unwrap_or_default() };
    table.end(hedge)
}

fn retries(mut table: Table<'_>) -> Result<Retries, Problem> {
    let retries = Retries { attempts: table.whole("attempts").unwrap_or(Retries::default().attempts) };
    table.end(retries)
}

fn limits(mut table: Table<'_>) -> Result<Limits, Problem> {
    let limits = Limits { body_bytes: table.whole("body_bytes").unwrap_or(Limits::default().body_bytes) };
    table.end(limits)
}

fn auth(mut table: Table<'_>) -> Result<Auth, Problem> {
    let default = Auth::default();
    let auth = Auth {
        issuer: table.text("issuer").unwrap_or(default.issuer),
        audience: table.text("audience").unwrap_or(default.audience),
        token_seconds: table.whole("token_seconds").unwrap_or(default.token_seconds),
    };
    table.end(auth)
}

fn cors(mut table: Table<'_>) -> Result<Cors, Problem> {
    let cors = Cors { origins: table.texts("origins") };
    table.end(cors)
}

pub(super) fn features(mut table: Table<'_>) -> Result<Features, Problem> {
    let features = Features {
        cache: table.truth("cache"),
        cache_ttl_seconds: table.whole("cache_ttl_seconds"),
        resumable: table.truth("resumable"),
        continuation: table.truth("continuation"),
        thinking_chain: table.truth("thinking_chain"),
        thinking_seconds: table.whole("thinking_seconds"),
        reflection_depth: table.whole("reflection_depth"),
        code_repairs: table.whole("code_repairs"),
        code_runs: table.whole("code_runs"),
        metrics: table.truth("metrics"),
        detailed_tracking: table.truth("detailed_tracking"),
    };
    table.end(features)
}

fn queue(mut table: Table<'_>) -> Result<QueueRules, Problem> {
    let default = QueueRules::default();
    let queue = QueueRules {
        max_attempts: table.whole("max_attempts").unwrap_or(default.max_attempts),
        retry_ms: table.whole("retry_ms").unwrap_or(default.retry_ms),
    };
    table.end(queue)
}

fn runs(mut table: Table<'_>) -> Result<RunRules, Problem> {
    let default = RunRules::default();
    let runs = RunRules {
        lease_ms: table.whole("lease_ms").unwrap_or(default.lease_ms),
        keep_seconds: table.whole("keep_seconds").unwrap_or(default.keep_seconds),
    };
    table.end(runs)
}

fn sandbox(mut table: Table<'_>) -> Result<Sandbox, Problem> {
    let default = Sandbox::default();
    let sandbox = Sandbox {
        function: table.text("function").unwrap_or_default(),
        region: table.text("region").unwrap_or_default(),
        endpoint: table.text("endpoint").unwrap_or_default(),
        access_key_id: table.text("access_key_id").unwrap_or(default.access_key_id),
        secret_access_key: table.text("secret_access_key").unwrap_or(default.secret_access_key),
        session_token: table.text("session_token").unwrap_or(default.session_token),
        answer_key: table.text("answer_key").unwrap_or_default(),
        per_tenant: table.truth("per_tenant").unwrap_or(default.per_tenant),
        usd_per_second: table.number("usd_per_second").unwrap_or_default(),
        concurrency: table.whole("concurrency").unwrap_or_default(),
        session_seconds: table.whole("session_seconds").unwrap_or(default.session_seconds),
        limits: over(&default.limits, table.table("limits", limits_of_code)),
        most: over(&default.most, table.table("most", limits_of_code)),
        absent: None,
    };
    table.end(sandbox)
}

fn tenant_sandbox(mut table: Table<'_>) -> Result<TenantSandbox, Problem> {
    let sandbox = TenantSandbox {
        enabled: table.truth("enabled"),
        concurrency: table.whole("concurrency"),
        most: table.table("most", limits_of_code).map(|said| over(&Sandbox::default().most, Some(said))),
    };
    table.end(sandbox)
}

/// What is said of a run's limits; [`UNSAID`] for the others.
fn limits_of_code(mut table: Table<'_>) -> Result<Option<CodeLimits>, Problem> {
    let limits = CodeLimits::default().map(|name, _| table.whole(name).unwrap_or(UNSAID));
    table.end(Some(limits))
}

/// No limit is so large.
const UNSAID: u64 = u64::MAX;

/// What is said, over what holds without it.
fn over(default: &CodeLimits, said: Option<CodeLimits>) -> CodeLimits {
    let Some(said) = said else { return *default };
    let mut said = said.rows().into_iter();
    default.map(|_, default| {
        said.next().map_or(default, |(_, said, _)| if said == UNSAID { default } else { said })
    })
}

fn target(mut table: Table<'_>) -> Result<TargetRow, Problem> {
    let row = TargetRow {
        name: table.needed("name"),
        base_url: table.needed("base_url"),
        dialect: table.one_of("dialect", &DIALECTS).unwrap_or_default(),
        model: table.needed("model"),
        models: table.texts("models"),
        embeddings: table.texts("embeddings"),
        secret: table.text("secret"),
        usd_per_mtok_in: table.number("usd_per_mtok_in").unwrap_or_default(),
        usd_per_mtok_out: table.number("usd_per_mtok_out").unwrap_or_default(),
    };
    table.end(row)
}

fn tenant(mut table: Table<'_>) -> Result<TenantRow, Problem> {
    let row = TenantRow {
        name: named(&mut table, "name"),
        requests_per_minute: table.whole("requests_per_minute").unwrap_or_default(),
        concurrency: table.whole("concurrency").unwrap_or_default(),
        usd_per_day: table.number("usd_per_day").unwrap_or_default(),
        targets: table.texts("targets"),
        features: table.table("features", features),
        sandbox: table.table("sandbox", tenant_sandbox),
    };
    table.end(row)
}

fn key(mut table: Table<'_>) -> Result<KeyRow, Problem> {
    let row = KeyRow {
        id: table.needed("id"),
        tenant: named(&mut table, "tenant"),
        hash: table.needed("hash"),
        role: table.one_of("role", &ROLES.map(|role| (role.as_str(), role))).unwrap_or_default(),
    };
    table.end(row)
}

/// A tenant. What stands for one that is missing or cannot be is never seen: the table's end tells it.
fn named(table: &mut Table<'_>, member: &'static str) -> Tenant {
    table.made(member, Tenant::try_from).unwrap_or_else(Tenant::system)
}
