//! Which environment takes an invocation. An environment that has run something for a tenant runs for nobody else.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use opencode_core::sandbox::Isolation;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout};

use super::environment::{Environment, Owner, Template};
use super::runtime_api::{Call, Job, Part, State};
use super::{Options, signature};

/// How long an environment may take to start: it tries every barrier.
const START: Duration = Duration::from_secs(30);
/// How long an invocation waits for an environment.
const WAIT: Duration = Duration::from_secs(30);
/// How long an invocation waits for an environment that has answered another one.
const SOON: Duration = Duration::from_millis(100);
/// Parts of an answer that wait for their reader.
const PARTS: usize = 16;
/// How often an invocation looks for another environment when its own has ended.
const TRIES: usize = 3;

/// The environments.
pub struct Pool {
    template: Arc<Template>,
    members: Mutex<Vec<Member>>,
    room: Arc<Semaphore>,
    most: usize,
    waiting: AtomicUsize,
    waiters: usize,
    idle: Duration,
}

struct Member {
    number: u64,
    /// Whose it is; `None` for one that has run nothing.
    tenant: Option<String>,
    busy: bool,
    since: Instant,
    environment: Environment,
}

/// A running invocation. Dropping it does not end the run.
pub struct Invocation {
    /// Its id.
    pub id: String,
    /// Its parts; nothing comes after the first that is not `Data`.
    pub parts: mpsc::Receiver<Part>,
    /// Its environment.
    pub state: Arc<State>,
}

/// Why an invocation is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many wait as may, or no environment has become free.
    Throttled,
    /// No environment starts.
    Broken(String),
}

impl Pool {
    /// Without environments yet.
    pub fn new(template: Template, options: &Options) -> Arc<Self> {
        let most = options.environments.clamp(1, 1_000);
        Arc::new(Self {
            template: Arc::new(template),
            members: Mutex::default(),
            room: Arc::new(Semaphore::new(most)),
            most,
            waiting: AtomicUsize::new(0),
            waiters: options.waiters,
            idle: options.idle,
        })
    }

    /// Starts the first environment: what protects its runs, or why there is none.
    pub async fn prepare(self: &Arc<Self>) -> Result<Isolation, String> {
        let number = self.start(None, false)?;
        let state = self.members().iter().find(|member| member.number == number).map(Member::state);
        let state = state.ok_or("the environment has ended")?;
        let ready = tokio::select! {
            ready = timeout(START, state.ready()) => ready.map_err(|_| "the sandbox does not start in time")?,
            why = state.doomed() => Err(why.to_owned()),
        };
        ready?.ok_or_else(|| "the sandbox does not say what protects it".to_owned())
    }

    /// The key that answers are sealed with.
    pub fn seal(&self) -> &str {
        self.template.seal()
    }

    /// Hands an event to an environment of this tenant; waits for one, if not too many wait.
    pub async fn invoke(self: &Arc<Self>, tenant: &str, event: Bytes) -> Result<Invocation, Refusal> {
        let mut permit = self.permit().await?;
        let id = request_id().map_err(Refusal::Broken)?;
        let (sender, parts) = mpsc::channel(PARTS);
        let time = u64::try_from(self.template.time().as_millis()).unwrap_or(u64::MAX);
        let mut call = Call {
            id: id.clone(),
            tenant: tenant.to_owned(),
            event,
            deadline: signature::now().0.saturating_add(time),
            parts: sender,
        };
        for _ in 0..TRIES {
            let number = self.place(tenant).await?;
            let members = self.members();
            let Some(member) = members.iter().find(|member| member.number == number) else { continue };
            let state = member.state();
            match member.environment.hand(Job { call, permit }) {
                Ok(()) => {
                    drop(members);
                    self.replenish();
                    return Ok(Invocation { id, parts, state });
                }
                Err(job) => (call, permit) = (job.call, job.permit),
            }
        }
        Err(Refusal::Broken("the sandbox's environments end as soon as they start".to_owned()))
    }

    /// Ends every environment.
    pub async fn end(&self) {
        let members = std::mem::take(&mut *self.members());
        for member in members {
            member.environment.end().await;
        }
    }

    /// Ends, for ever, the environments that have had nothing to do for long. The spare one stays.
    pub async fn sweep(&self) {
        loop {
            tokio::time::sleep((self.idle / 4).max(Duration::from_millis(10))).await;
            let old = |member: &Member| {
                !member.busy && member.tenant.is_some() && member.since.elapsed() > self.idle
            };
            while let Some(member) = self.take(old) {
                member.environment.end().await;
            }
        }
    }

    /// One of as many permits as there may be environments: whoever has one finds an environment, or room for one.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        if let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() {
            return Ok(permit);
        }
        let _place = Waiting::take(&self.waiting, self.waiters).ok_or(Refusal::Throttled)?;
        match timeout(WAIT, Arc::clone(&self.room).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Refusal::Throttled),
        }
    }

    /// A free environment of the tenant, or one that is nobody's yet; one is started where there is room, and room is
    /// made by ending another tenant's that was idle for longest.
    async fn place(self: &Arc<Self>, tenant: &str) -> Result<u64, Refusal> {
        self.soon(tenant).await;
        if let Some(number) = self.bind(tenant) {
            return Ok(number);
        }
        while self.members().len() >= self.most {
            let longest =
                self.members().iter().filter(|member| !member.busy).map(|member| member.since).min();
            match self.take(|member| !member.busy && Some(member.since) == longest) {
                Some(member) => member.environment.end().await,
                // One is about to be gone.
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        self.start(Some(tenant), true).map_err(Refusal::Broken)
    }

    /// Waits a moment for an environment of the tenant that has answered and is about to ask for more.
    async fn soon(&self, tenant: &str) {
        let answered = {
            let members = self.members();
            let own = || members.iter().filter(|member| member.tenant.as_deref() == Some(tenant));
            if own().any(|member| !member.busy) {
                return;
            }
            own().map(Member::state).find(|state| state.is_answered())
        };
        if let Some(state) = answered {
            let _ = timeout(SOON, async {
                tokio::select! {
                    () = state.free() => {}
                    _ = state.doomed() => {}
                }
            })
            .await;
            // Its keeper is woken by the same change, before or after us.
            tokio::task::yield_now().await;
        }
    }

    fn bind(&self, tenant: &str) -> Option<u64> {
        let mut members = self.members();
        let free =
            |member: &&mut Member, whose: Option<&str>| !member.busy && member.tenant.as_deref() == whose;
        let own = members.iter().any(|member| !member.busy && member.tenant.as_deref() == Some(tenant));
        let whose = own.then_some(tenant);
        let member = members.iter_mut().find(|member| free(member, whose))?;
        member.busy = true;
        member.tenant = Some(tenant.to_owned());
        Some(member.number)
    }

    /// Keeps one environment that is nobody's yet, where there is room.
    fn replenish(self: &Arc<Self>) {
        let wanted = {
            let members = self.members();
            members.len() < self.most && members.iter().all(|member| member.tenant.is_some())
        };
        if wanted && let Err(why) = self.start(None, false) {
            tracing::warn!(why, "no environment is ready for the next tenant");
        }
    }

    fn start(self: &Arc<Self>, tenant: Option<&str>, busy: bool) -> Result<u64, String> {
        let number = self.template.number();
        let owner: Arc<dyn Owner> = Arc::new(Owned(Arc::downgrade(self)));
        // The keeper's first word comes later: it is a task of this thread.
        let mut members = self.members();
        let environment = self.template.start(number, owner)?;
        let tenant = tenant.map(str::to_owned);
        members.push(Member { number, tenant, busy, since: Instant::now(), environment });
        Ok(number)
    }

    fn take(&self, which: impl Fn(&Member) -> bool) -> Option<Member> {
        let mut members = self.members();
        let at = members.iter().position(which)?;
        Some(members.swap_remove(at))
    }

    fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    fn state(&self) -> Arc<State> {
        Arc::clone(self.environment.state())
    }
}

/// The pool as its environments know it.
struct Owned(std::sync::Weak<Pool>);

impl Owner for Owned {
    fn free(&self, number: u64) {
        if let Some(pool) = self.0.upgrade()
            && let Some(member) = pool.members().iter_mut().find(|member| member.number == number)
        {
            member.busy = false;
            member.since = Instant::now();
        }
    }

    fn gone(&self, number: u64) {
        if let Some(pool) = self.0.upgrade() {
            drop(pool.take(|member| member.number == number));
        }
    }
}

/// A place among those who wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let more = |waiting: usize| (waiting < most).then_some(waiting + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A UUID of version 4, as Lambda's are.
fn request_id() -> Result<String, String> {
    let hex = signature::random_hex(16)?;
    Ok(format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..]))
}
