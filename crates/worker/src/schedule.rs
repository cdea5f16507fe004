//! The `scheduled` event: once a minute.

use opencode_core::work::tick;
use worker::{Env, ScheduleContext, ScheduledEvent, console_error, event};

use crate::edge::Edge;
use crate::isolate;

#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    let isolate = match isolate::get(&env) {
        Ok(isolate) => isolate,
        Err(why) => return console_error!("tick: {why}"),
    };
    for error in tick(Edge::new(env, None), isolate).await.errors {
        console_error!("tick: {error}");
    }
}
