//! Those who take a stream up again: while it goes on, and after its end from several of its events.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use opencode_core::isolate::Isolate;
use opencode_core::serve::{self, Reply};

use opencode_core::resume::KEEP;

use super::check;
use super::host::SimHost;
use super::scene::key_of;
use super::world::{Followed, World};

/// Takes a call's stream up beside its caller, after what that one has read.
pub async fn beside(world: Rc<World>, isolate: Arc<Isolate>, call: usize, wait: u64) {
    world.clock.sleep(wait).await;
    let after = check::frames(&world.state.borrow().calls[call].written(None)).len().checked_sub(1);
    one(world, isolate, call, after.map(|after| after as u64), false).await;
}

/// Takes a call's stream up after its end: from the start, after some event, after the last.
pub fn again(world: &Rc<World>, isolate: &Arc<Isolate>, call: usize) {
    let frames = check::frames(&world.state.borrow().calls[call].written(None)).len() as u64;
    let some = if frames > 0 { world.below(frames) } else { 0 };
    for after in [None, Some(some), Some(frames.saturating_sub(1))] {
        if frames > 0 {
            world.clock.spawn(one(Rc::clone(world), Arc::clone(isolate), call, after, false));
        }
    }
}

/// Takes a call's stream up shortly before its time is over, and when it is.
pub fn late(world: &Rc<World>, isolate: &Arc<Isolate>, call: usize, grace: u64) {
    let (ended, latest) = {
        let it = &world.state.borrow().calls[call];
        (it.ended, it.began + world.whole + grace)
    };
    let keep = u64::try_from(KEEP.as_millis()).unwrap_or(u64::MAX);
    // The end is noted a little before the last bytes are read; of a dead owner it counts from when it had to end.
    let before = ended.map(|ended| (ended + keep - 5_000, false));
    let after = (ended.unwrap_or(latest) + keep, true);
    for (at, late) in before.into_iter().chain([after]) {
        let (world, isolate) = (Rc::clone(world), Arc::clone(isolate));
        world.clock.clone().spawn(async move {
            world.clock.until(at).await;
            one(world, isolate, call, None, late).await;
        });
    }
}

async fn one(world: Rc<World>, isolate: Arc<Isolate>, call: usize, after: Option<u64>, late: bool) {
    let (id, key) = {
        let it = &world.state.borrow().calls[call];
        let Some(id) = it.header("x-opencode-stream") else { return };
        (id.to_owned(), key_of(&world.tenants[it.ask.tenant].name))
    };
    let mut request =
        http::Request::get(format!("/v1/streams/{id}")).header("authorization", format!("Bearer {key}"));
    if let Some(after) = after {
        request = request.header("last-event-id", after.to_string());
    }
    let (parts, body) = request.body(Bytes::new()).expect("a request").into_parts();
    // A host of no call: whatever it asked of a provider would break the scene.
    let host = SimHost::new(&world, None, Rc::default());
    let response = match serve::admit(&host, &isolate, parts).await {
        Ok(admitted) => serve::serve(host, admitted, body).await,
        Err(refused) => refused.map(Reply::Whole),
    };
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    match response.into_body() {
        Reply::Whole(whole) => bytes.extend_from_slice(&whole),
        Reply::Stream(stream) => {
            let mut stream = pin!(stream);
            while let Some(more) = stream.next().await {
                bytes.extend_from_slice(&more);
            }
        }
    }
    world.tell(Some(call), || {
        format!("taken up after {after:?}: {status} {:?}", String::from_utf8_lossy(&bytes))
    });
    world.state.borrow_mut().calls[call].followed.push(Followed { after, late, status, bytes });
}
