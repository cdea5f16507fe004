//! The configuration while the platform runs, on every host: what is written is in force within 30 seconds, what is
//! wrong is refused and changes nothing, and each flag changes what a caller sees.
//!
//! Each host is started anew, and its cases run one after another, since each changes what holds for all.

mod changes;
mod flags;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use tokio::time::{Instant, sleep};

use crate::hosts::ctx::{Ctx, check};
use crate::hosts::each::Round;
use crate::hosts::platform::Kind;
use crate::suite::RUNTIME;

type Run = for<'a> fn(&'a Ctx) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Name and case.
type Row = (&'static str, Run);

/// In this order.
const CASES: [Row; 6] = [
    ("changes::a_bad_text_is_refused_with_its_line", |ctx| Box::pin(changes::a_bad_text_is_refused(ctx))),
    ("changes::nobody_locks_themselves_out", |ctx| Box::pin(changes::nobody_locks_themselves_out(ctx))),
    ("changes::a_stored_change_is_seen", |ctx| Box::pin(changes::a_stored_change_is_seen(ctx))),
    ("changes::a_changed_budget_counts_in_the_day_that_runs", |ctx| {
        Box::pin(changes::a_budget_counts_in_its_day(ctx))
    }),
    ("changes::the_hosts_own_text_is_read_again", |ctx| Box::pin(changes::own_text_is_read_again(ctx))),
    ("flags::each_flag_changes_what_a_caller_sees", |ctx| Box::pin(flags::each_changes_what_is_seen(ctx))),
];

/// Within which a change must be seen.
const SEEN: Duration = Duration::from_secs(30);
/// How long a process believes what it has looked at. Lambda has several, and each looks for itself.
const BELIEVED: Duration = Duration::from_millis(5_200);

/// Runs the suite on one host after another; one line of result for each.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    let arguments = Arguments { test_threads: Some(1), ..arguments.clone() };
    Round::new("config", &arguments, 1)?.each(
        |kind| kind != Kind::BareWorkerd,
        |platform, wall| {
            let trials = CASES.map(|(name, run)| {
                let ctx = Ctx::new(Arc::clone(platform), Arc::clone(wall), name);
                Trial::test(name, move || Ok(RUNTIME.block_on(run(&ctx))?))
            });
            trials.into()
        },
    )
}

/// Stores a configuration.
async fn store(ctx: &Ctx, text: &str) -> Result<(), String> {
    let mut response = ctx.put("/api/v1/config", text).key(&ctx.keys.operator).send().await?;
    let said = response.text().await?;
    check(response.status == 204, || format!("{}: {said}", response.status))
}

/// Waits until the largest body is so many bytes: each configuration here has a bound of its own, and by that is told
/// from the others.
async fn seen(ctx: &Ctx, body_bytes: u64) -> Result<(), String> {
    let start = Instant::now();
    loop {
        let document = ctx.get("/openapi.json").send().await?.json().await?;
        if document["x-max-body-bytes"].as_u64() == Some(body_bytes) {
            if matches!(ctx.kind(), Kind::LambdaEmulator | Kind::LambdaFrozen) {
                sleep(BELIEVED).await;
            }
            return Ok(());
        }
        let bound = &document["x-max-body-bytes"];
        check(start.elapsed() < SEEN, || format!("after 30 s the bound is {bound}, not {body_bytes}"))?;
        sleep(Duration::from_millis(250)).await;
    }
}
