//! Lambda's Runtime API as code inside an environment finds it, by what AWS documents and its open emulator does: while
//! an invocation runs, `/next` gives the current event to whoever asks; the first answer that names it counts; nobody
//! may register or report a failed start once the function has asked for its first event.
//!
//! [`crate::runtime_api`] is for a function that can be trusted: there only the function asks.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Plan;
use crate::h1::{Conn, Head};
use crate::suite::RUNTIME;

/// Where Lambda has it.
pub const ADDRESS: &str = "127.0.0.1:9001";
/// Bytes of an answer that Lambda takes
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MOST: usize = 6 * 1024 * 1024;

/// One environment's.
pub struct Lambda {
    inner: Mutex<Inner>,
    changes: watch::Sender<()>,
}

#[derive(Default)]
struct Inner {
    number: u64,
    asked: bool,
    failed_start: Option<String>,
    /// What was not answered yet.
    running: Option<Running>,
    /// What was answered last, and what there was at that moment.
    answer: Option<(Answer, Value)>,
}

struct Running {
    id: String,
    event: String,
    look: Look,
}

/// Looks around the moment an answer comes.
pub type Look = Arc<dyn Fn() -> Value + Send + Sync>;

/// What the function's caller gets.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What was answered.
    Body(Vec<u8>),
    /// The function has reported an error.
    Error(String),
    /// It was more than is taken.
    TooLarge,
}

impl Lambda {
    /// Listens where the set-up has a Lambda around it.
    pub fn open(plan: &Plan) -> Result<Arc<Self>, String> {
        let lambda = Arc::new(Self { inner: Mutex::default(), changes: watch::Sender::new(()) });
        if plan.setup != super::Setup::Full {
            let listener = RUNTIME.block_on(TcpListener::bind(ADDRESS)).map_err(|error| error.to_string())?;
            RUNTIME.spawn(listen(listener, Arc::clone(&lambda)));
        }
        Ok(lambda)
    }

    /// A new process begins.
    pub fn reset(&self) {
        self.change(|inner| *inner = Inner { number: inner.number, ..Inner::default() });
    }

    /// Waits until the function asks for an event. The error is why it never will.
    pub fn ready(&self, patience: Duration, alive: impl Fn() -> bool) -> Result<(), String> {
        let asked = |inner: &Inner| match &inner.failed_start {
            Some(why) => Some(Err(why.clone())),
            None => inner.asked.then_some(Ok(())),
        };
        self.until(patience, &alive, asked).unwrap_or_else(|| Err("it never asked for an event".to_owned()))
    }

    /// Hands an event over.
    pub fn begin(&self, event: String, look: Look) {
        self.change(|inner| {
            inner.number += 1;
            let id = format!("00000000-0000-4000-8000-{:012x}", inner.number);
            inner.answer = None;
            inner.running = Some(Running { id, event, look });
        });
    }

    /// Waits for an answer; `None` where the process ends first, or the time is up.
    pub fn answer(&self, patience: Duration, alive: impl Fn() -> bool) -> Option<(Answer, Value)> {
        self.until(patience, &alive, |inner| inner.answer.clone())
    }

    /// Waits until the function goes on after its answer; `false` where it ends instead.
    pub fn goes_on(&self, patience: Duration, alive: impl Fn() -> bool) -> bool {
        self.until(patience, &alive, |inner| inner.asked.then_some(())).is_some()
    }

    fn until<T>(
        &self,
        patience: Duration,
        alive: &impl Fn() -> bool,
        look: impl Fn(&Inner) -> Option<T>,
    ) -> Option<T> {
        let mut changes = self.changes.subscribe();
        let until = std::time::Instant::now() + patience;
        loop {
            let found = look(&self.inner());
            if found.is_some() {
                return found;
            }
            if !alive() || std::time::Instant::now() > until {
                // What was answered last may have come between the two looks.
                return look(&self.inner());
            }
            let wait = async { tokio::time::timeout(Duration::from_millis(20), changes.changed()).await };
            let _ = RUNTIME.block_on(wait);
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let changed = change(&mut self.inner());
        self.changes.send_replace(());
        changed
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// The event that runs; waits for one.
    async fn next(&self) -> (String, String) {
        self.change(|inner| inner.asked = inner.asked || inner.running.is_none());
        let mut changes = self.changes.subscribe();
        loop {
            let found = self.change_quietly(|inner| {
                let running = inner.running.as_ref()?;
                Some((running.id.clone(), running.event.clone()))
            });
            if let Some(found) = found {
                return found;
            }
            let _ = changes.changed().await;
        }
    }

    fn change_quietly<T>(&self, change: impl FnOnce(&mut Inner) -> Option<T>) -> Option<T> {
        let mut inner = self.inner();
        let found = change(&mut inner);
        if found.is_some() {
            inner.asked = false;
        }
        found
    }

    /// The first answer counts; the status for whoever answers.
    fn take(&self, id: &str, answer: Answer) -> u16 {
        let look = match &self.inner().running {
            Some(running) if running.id == id => Arc::clone(&running.look),
            _ => return 400,
        };
        let seen = look();
        self.change(|inner| match inner.running.take_if(|running| running.id == id) {
            Some(_) => {
                let status = if matches!(answer, Answer::TooLarge) { 413 } else { 202 };
                inner.answer = Some((answer, seen));
                status
            }
            None => 400,
        })
    }
}

async fn listen(listener: TcpListener, lambda: Arc<Lambda>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&lambda)));
    }
}

async fn connection(stream: TcpStream, lambda: Arc<Lambda>) {
    let mut conn = Conn::new(stream);
    while let Ok(Some(head)) = conn.head().await {
        if respond(&mut conn, &head, &lambda).await.is_err() {
            return;
        }
    }
}

async fn respond(conn: &mut Conn, head: &Head, lambda: &Arc<Lambda>) -> io::Result<()> {
    let path = head.word(1).to_owned();
    let body = conn.rest(head.request_body()).await?;
    let path = path.strip_prefix("/2018-06-01/runtime/").unwrap_or_default();
    if path == "invocation/next" {
        let (id, event) = tokio::select! {
            biased;
            () = conn.hung_up() => return Err(io::ErrorKind::ConnectionReset.into()),
            next = lambda.next() => next,
        };
        let headers = format!(
            "lambda-runtime-aws-request-id: {id}\r\nlambda-runtime-deadline-ms: {}\r\n",
            (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
                + Duration::from_secs(303))
            .as_millis()
        );
        return conn.respond(200, &headers, event.as_bytes()).await;
    }
    let status = match path.strip_prefix("invocation/").and_then(|rest| rest.split_once('/')) {
        Some((id, "response")) if body.len() > MOST => answer(lambda, id, Answer::TooLarge).await,
        Some((id, "response")) => answer(lambda, id, Answer::Body(body.to_vec())).await,
        Some((id, "error")) => {
            answer(lambda, id, Answer::Error(String::from_utf8_lossy(&body).into_owned())).await
        }
        None if path == "init/error" => lambda.change(|inner| match inner.asked || inner.number > 0 {
            true => 403,
            false => {
                inner.failed_start = Some(String::from_utf8_lossy(&body).into_owned());
                202
            }
        }),
        _ => 403,
    };
    let word = if status == 202 { "OK" } else { "Refused" };
    conn.respond(status, "", json!({ "status": word }).to_string().as_bytes()).await
}

/// Looking around takes a moment in which others are served.
async fn answer(lambda: &Arc<Lambda>, id: &str, answer: Answer) -> u16 {
    let (lambda, id) = (Arc::clone(lambda), id.to_owned());
    tokio::task::spawn_blocking(move || lambda.take(&id, answer)).await.unwrap_or(500)
}
