//! One scene: a deployment, its providers, its callers, played to the end.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{self, Either};
use futures::{Stream, StreamExt as _};
use opencode_core::identity::key;
use opencode_core::isolate::{Base, Isolate};
use opencode_core::serve::{self, Reply};
use opencode_core::work;

use super::caller::{self, Ask};
use super::check;
use super::clock::{Clock, Flag};
use super::follow;
use super::host::SimHost;
use super::upstream::{self, Pace};
use super::world::{Call, Target, Tenant, World};
use crate::ports::generate::Random;

/// Calls of one scene.
pub const CALLS: u64 = 10;

const SECRET: &str = "a secret of at least thirty-two bytes";
/// Some Tuesday, in Unix milliseconds.
const START: u64 = 1_790_000_000_000;

/// What a scene is made of.
struct Plan {
    toml: String,
    start: u64,
    grace: u64,
    world: World,
    asks: Vec<Ask>,
}

/// Plays the scene of a seed. The error tells its story.
pub fn play(seed: u64) -> Result<check::Tally, String> {
    // The core cannot panic; where it does, the seed must be known.
    match std::panic::catch_unwind(|| once(seed, false)) {
        Ok(Ok(tally)) => Ok(tally),
        // What happened is told by happening again.
        Ok(Err(broken)) => Err(once(seed, true).err().unwrap_or(broken)),
        Err(_) => Err(format!("a panic, see above\n{}", replay(seed))),
    }
}

fn replay(seed: u64) -> String {
    format!("replay it: cargo xtask test sim --filter seed={seed}")
}

fn once(seed: u64, tell: bool) -> Result<check::Tally, String> {
    let Plan { toml, start, grace, world, asks } = plan(seed, tell);
    let base =
        Base { text: toml.clone(), secret: Some(SECRET.to_owned()), max_body: 1 << 20, ..Base::default() };
    let isolate = Isolate::new(base)?;
    let world = Rc::new(world);
    for ask in asks {
        let mut state = world.state.borrow_mut();
        state.calls.push(Call {
            ask,
            gone: Rc::default(),
            began: 0,
            left: None,
            died: None,
            head: None,
            items: Vec::new(),
            ended: None,
            paused: 0,
            receipts: Vec::new(),
            append_errors: 0,
            followed: Vec::new(),
        });
    }
    let calls = world.state.borrow().calls.len();
    (0..calls).for_each(|call| begin(&world, &isolate, call));
    let ended = world.clock.run();
    if let Err(stuck) = &ended {
        world.breaks(None, stuck);
    } else {
        (0..calls).for_each(|call| check::call(&world, call));
        world.flaky.set(false);
        (0..calls).for_each(|call| follow::again(&world, &isolate, call));
        (0..calls).for_each(|call| follow::late(&world, &isolate, call, grace));
        let sweeps = sweep(Rc::clone(&world), isolate, world.whole + grace);
        world.clock.spawn(sweeps);
        world.clock.run()?;
        (0..calls).for_each(|call| check::follows(&world, call));
        (0..calls).for_each(|call| check::books(&world, call));
        check::counters(&world);
    }
    let broken = world.state.borrow().broken.clone();
    let Some((call, what)) = broken.first() else { return Ok(check::tally(&world)) };
    let name = call.map_or(String::new(), |call| format!(" of call {call}"));
    let all: String = broken.iter().map(|(call, what)| format!("- call {call:?}: {what}\n")).collect();
    let ask = call.map(|call| format!("{:#?}\n", world.state.borrow().calls[call].ask)).unwrap_or_default();
    Err(format!(
        "{what}{name}\n{}\n\nall that broke:\n{all}\n{toml}\n{ask}\n{}",
        replay(seed),
        world.story(*call, start)
    ))
}

/// The life of one call: its request, its reader, its leaving and its owner's death.
fn begin(world: &Rc<World>, isolate: &Arc<Isolate>, call: usize) {
    let (ask, gone) = {
        let call = &world.state.borrow().calls[call];
        (call.ask.clone(), Rc::clone(&call.gone))
    };
    let owner = world.clock.spawn(answer(Rc::clone(world), Arc::clone(isolate), call));
    if let Some(after) = ask.follows {
        world.clock.spawn(follow::beside(Rc::clone(world), Arc::clone(isolate), call, ask.start + after));
    }
    let of = Rc::clone(world);
    world.clock.spawn(async move {
        let world = of;
        let start = world.clock.now() + ask.start;
        if let Some(after) = ask.leaves {
            world.clock.until(start + after).await;
            if world.state.borrow().calls[call].ended.is_none() {
                world.tell(Some(call), || "the caller leaves".to_owned());
                // What can be taken up again has to go on as if nobody had left.
                if !ask.resumable {
                    world.state.borrow_mut().calls[call].left = Some(world.clock.now());
                }
                gone.set();
            }
        }
        if let Some(after) = ask.dies {
            world.clock.until(start + after).await;
            if world.clock.kill(owner) {
                world.tell(Some(call), || "the owner dies".to_owned());
                world.state.borrow_mut().calls[call].died = Some(world.clock.now());
            }
        }
    });
}

async fn answer(world: Rc<World>, isolate: Arc<Isolate>, call: usize) {
    let (ask, gone) = {
        let call = &world.state.borrow().calls[call];
        (call.ask.clone(), Rc::clone(&call.gone))
    };
    world.clock.sleep(ask.start).await;
    world.state.borrow_mut().calls[call].began = world.clock.now();
    world.tell(Some(call), || "asks".to_owned());
    let host = SimHost::new(&world, Some(call), Rc::clone(&gone));
    let (parts, body) = request(&world, call, &ask).into_parts();
    let response = match serve::admit(&host, &isolate, parts).await {
        Ok(admitted) => serve::serve(host, admitted, body).await,
        Err(refused) => refused.map(Reply::Whole),
    };
    let (parts, body) = response.into_parts();
    world.tell(Some(call), || format!("status {}", parts.status));
    world.state.borrow_mut().calls[call].head = Some((parts.status.as_u16(), parts.headers));
    match body {
        Reply::Whole(bytes) => {
            check::last_bytes(&world, call);
            written(&world, call, bytes);
        }
        Reply::Stream(stream) => read(&world, call, &ask, &gone, stream).await,
    }
    world.state.borrow_mut().calls[call].ended = Some(world.clock.now());
    world.tell(Some(call), || "the answer has ended".to_owned());
}

/// Reads a stream as a host does: to the end, even when the caller has left.
async fn read(world: &Rc<World>, call: usize, ask: &Ask, gone: &Flag, stream: impl Stream<Item = Bytes>) {
    let mut stream = pin!(stream);
    while let Some(bytes) = stream.next().await {
        written(world, call, bytes);
        check::written(world, call);
        if ask.pause > 0 && !gone.is_set() {
            let began = world.clock.now();
            let pause = pin!(world.clock.sleep(ask.pause));
            let left = pin!(gone.wait());
            match future::select(pause, left).await {
                Either::Left(_) | Either::Right(_) => {}
            }
            world.state.borrow_mut().calls[call].paused += world.clock.now() - began;
        }
    }
    // The stream itself is still there: what it left running would run on.
    check::nothing_runs(world, call, "when the stream has ended");
}

fn written(world: &World, call: usize, bytes: Bytes) {
    world.tell(Some(call), || format!("writes {:?}", String::from_utf8_lossy(&bytes)));
    let now = world.clock.now();
    world.state.borrow_mut().calls[call].items.push((now, bytes));
}

fn request(world: &World, call: usize, ask: &Ask) -> http::Request<Bytes> {
    let dialect = &caller::DIALECTS[ask.dialect];
    let tenant = &world.tenants[ask.tenant].name;
    let key = if ask.known { key_of(tenant) } else { format!("{}0", key_of(tenant)) };
    let mut request = http::Request::post((dialect.path)(ask))
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .header("traceparent", format!("00-{}-00f067aa0ba902b7-01", world.trace(call)));
    if let Some(targets) = &ask.targets {
        request = request.header("x-opencode-targets", targets);
    }
    if let Some(hedge) = ask.hedge {
        request = request.header("x-opencode-hedge-ms", hedge.to_string());
    }
    if ask.resumable {
        request = request.header("x-opencode-resumable", "true");
    }
    if ask.continues {
        request = request.header("x-opencode-continuation", "true");
    }
    if ask.fresh {
        request = request.header("cache-control", "no-cache");
    }
    request.body(Bytes::from((dialect.body)(ask).to_string())).expect("a request")
}

/// Lets the leases of the dead run out, sweeps, and rolls up.
async fn sweep(world: Rc<World>, isolate: Arc<Isolate>, lease: u64) {
    let host = SimHost::new(&world, None, Rc::default());
    // The second time everything is old enough to be added up.
    for wait in [lease + 1_000, 600_000] {
        world.clock.sleep(wait).await;
        let ticked = work::tick(host.clone(), Arc::clone(&isolate)).await;
        world.tell(None, || format!("{ticked:?}"));
        if !ticked.errors.is_empty() {
            world.breaks(None, format!("the schedule fails: {:?}", ticked.errors));
        }
    }
}

/// The key of a tenant.
pub fn key_of(tenant: &str) -> String {
    format!("ock_{tenant}_k1_00000000000000000000000000000007")
}

fn plan(seed: u64, tell: bool) -> Plan {
    let mut random = Random::new(seed);
    let mut pick = |choices: &[u64]| choices[random.below(choices.len() as u64) as usize];
    let (connect, first, idle) = (pick(&[500, 1_000]), pick(&[1_500, 3_000]), pick(&[800, 2_000]));
    let (whole, grace) = (pick(&[5_000, 9_000, 20_000]), pick(&[6_000, 10_000]));
    let most_output = 600;
    let start = START + pick(&[0, 30_000, 55_000]) + pick(&[0, 11 * 3_600_000]);
    let good = pick(&[25, 50, 50, 80]);
    let caches = pick(&[0, 1, 1]) == 1;
    let hedge = pick(&[0, 0, 0, 300]);
    let flaky = pick(&[0, 0, 0, 1]) == 1;
    let mut toml = format!(
        "[deadlines]\nconnect_ms = {connect}\nfirst_content_ms = {first}\nidle_ms = {idle}\nwhole_ms = {whole}\n\
         grace_ms = {grace}\n[hedge]\nafter_ms = {hedge}\n[features]\ncache = {caches}\ncache_ttl_seconds = 5\n"
    );
    let targets: Vec<Target> = (0..pick(&[1, 2, 3]))
        .map(|_| {
            let better = pick(&[0, 0, 30]);
            let good = (good + better).min(95);
            let dialect = pick(&[0, 1, 2, 3, 4, 5, 6, 7]) as usize % upstream::DIALECTS.len();
            Target { dialect, pace: Pace { connect, first, idle, most_output, good } }
        })
        .collect();
    for (number, target) in targets.iter().enumerate() {
        let dialect = &upstream::DIALECTS[target.dialect];
        toml.push_str(&format!(
            "[[targets]]\nname = \"t{number}\"\nbase_url = \"http://t{number}.sim{}\"\nmodel = \"m\"\nsecret = \"KEY\"\n\
             usd_per_mtok_in = {}.0\nusd_per_mtok_out = {}.0\n{}\n",
            dialect.base, number + 1, 3 * (number + 1), dialect.target
        ));
    }
    let tenants: Vec<Tenant> = ["acme", "globex"]
        .into_iter()
        .map(|name| Tenant {
            name: name.to_owned(),
            requests: pick(&[0, 0, 4]),
            concurrent: pick(&[0, 0, 1, 3]),
            micros: pick(&[0, 0, 12_000, 40_000, 1_000_000]),
        })
        .collect();
    for tenant in &tenants {
        let (name, hash) = (&tenant.name, key::hash(SECRET, &key_of(&tenant.name)));
        toml.push_str(&format!(
            "[[tenants]]\nname = \"{name}\"\nrequests_per_minute = {}\nconcurrency = {}\nusd_per_day = {}\n\
             [[keys]]\nid = \"k1\"\ntenant = \"{name}\"\nhash = \"{hash}\"\n",
            tenant.requests,
            tenant.concurrent,
            tenant.micros as f64 / 1e6
        ));
    }
    let spread = pick(&[10, 2_000, 15_000, 60_000]);
    let usual = pick(&[0, 1, 2, 3, 4]) as usize;
    let asks = (0..CALLS)
        .map(|_| ask(&mut random, targets.len() as u64, whole, most_output, spread, usual))
        .collect();
    let world = World::new(seed, Clock::new(start, seed), targets, tenants, whole, tell);
    world.flaky.set(flaky);
    world.flaked.set(flaky);
    Plan { toml, start, grace, world, asks }
}

/// `usual`: the dialect of most callers of the scene, so that some ask the same thing and meet in the cache.
fn ask(random: &mut Random, targets: u64, whole: u64, most_output: u64, spread: u64, usual: usize) -> Ask {
    let mut one_in = |many: u64| random.below(many) == 0;
    let (known, stream, usage, fresh) = (!one_in(40), !one_in(4), one_in(2), one_in(8));
    let (leaves, dies, early, slow) = (one_in(6), one_in(12), one_in(2), one_in(5));
    let (pinned, listed, hedged, unbounded) = (one_in(8), one_in(4), one_in(3), one_in(10));
    let other = one_in(3);
    let (resumable, follows, continues) = (stream && one_in(4), one_in(2), stream && one_in(2));
    let soon = if early { 400 } else { whole };
    let mut list: Vec<u64> = (0..targets).collect();
    let turn = random.below(targets) as usize;
    list.rotate_left(turn);
    list.truncate(1 + random.below(targets) as usize);
    let list: Vec<String> = list.into_iter().map(|target| format!("t{target}/m")).collect();
    Ask {
        tenant: random.below(2) as usize,
        known,
        dialect: if other { random.below(caller::DIALECTS.len() as u64) as usize } else { usual },
        question: random.below(2),
        stream,
        usage,
        max_tokens: (!unbounded).then_some(most_output),
        model: if pinned { format!("t{turn}/m") } else { "auto".to_owned() },
        targets: listed.then(|| list.join(", ")),
        hedge: hedged.then(|| [0, 50, 400, 1_000][random.below(4) as usize]),
        fresh,
        start: random.below(spread),
        leaves: leaves.then(|| random.below(soon)),
        dies: dies.then(|| random.below(soon)),
        pause: if slow { [5, 60, 150][random.below(3) as usize] } else { 0 },
        resumable,
        follows: (resumable && follows).then(|| random.below(soon)),
        continues,
    }
}
