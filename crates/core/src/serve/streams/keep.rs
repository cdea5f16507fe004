//! The owner's side: every event of an answer goes to the caller and, in segments, into the tenant's log.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{self, Either};
use futures::{Stream, StreamExt, stream};

use crate::error::Error;
use crate::host::{Host, Key, Swap, Time};
use crate::identity::Tenant;
use crate::resume::{self, Head, Tape};
use crate::wire::sse::Splitter;
use crate::wire::{Dialect, sse};

/// How long one entry may take to be kept.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where an answer is kept.
pub struct Keeping {
    /// The stream's id.
    pub id: String,
    tenant: Tenant,
    head: Head,
}

/// Makes the log of an answer. It stands before anything is asked: an answer that cannot be kept is not begun.
pub async fn begin<H: Host>(host: &H, id: String, tenant: &Tenant, head: Head) -> Result<Keeping, Error> {
    let log = resume::log(tenant, &id);
    host.append(&log, resume::HEAD, head.value(), Some(head.expires())).await?;
    Ok(Keeping { id, tenant: tenant.clone(), head })
}

/// Keeps what an answer says, and says it.
pub fn keep<H: Host, S: Stream<Item = Bytes>>(
    host: H,
    keeping: Keeping,
    said: S,
) -> impl Stream<Item = Bytes> + use<H, S> {
    // Google's SDKs stop at whatever is not data.
    let shown = keeping.head.dialect != Some(Dialect::Gemini);
    let keeper = Box::new(Keeper {
        log: resume::log(&keeping.tenant, &keeping.id),
        named: keeping.head.dialect != Some(Dialect::Responses),
        tape: Tape::new(shown),
        said: Box::pin(said),
        keeping,
        host,
    });
    stream::unfold(keeper, |mut it| async move { it.next().await.map(|bytes| (bytes, it)) })
}

enum Heard {
    Said(Bytes),
    Late,
    Over,
}

struct Keeper<H, S> {
    host: H,
    keeping: Keeping,
    log: Key,
    tape: Tape,
    /// Whether the answer is found by the id that its caller knows.
    named: bool,
    said: Pin<Box<S>>,
}

impl<H: Host, S: Stream<Item = Bytes>> Keeper<H, S> {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let now = self.host.now();
            let due = self.tape.due();
            if due.is_some_and(|due| due <= now) {
                self.save(None).await;
                continue;
            }
            let said = match self.heard(due.map(|due| due.since(now))).await {
                Heard::Said(said) => said,
                Heard::Late => continue,
                Heard::Over => {
                    self.save(Some(self.host.now())).await;
                    return None;
                }
            };
            if !self.named {
                self.name(&said).await;
            }
            let said = self.tape.add(said, self.host.now());
            if !said.is_empty() {
                return Some(said);
            }
        }
    }

    /// What is said next, unless what has gathered must be kept before.
    async fn heard(&mut self, wait: Option<Duration>) -> Heard {
        let host = &self.host;
        let late = pin!(async {
            match wait {
                Some(wait) => host.sleep(wait).await,
                None => future::pending().await,
            }
        });
        match future::select(self.said.next(), late).await {
            Either::Left((Some(said), _)) => Heard::Said(said),
            Either::Left((None, _)) => Heard::Over,
            Either::Right(_) => Heard::Late,
        }
    }

    /// Keeps what has gathered. What could not be kept now is tried again with the next segment; at the end once more.
    async fn save(&mut self, ended: Option<Time>) {
        for _ in 0..=u32::from(ended.is_some()) {
            if self.append(ended).await {
                return self.tape.kept();
            }
        }
        self.tape.missed(self.host.now());
    }

    async fn append(&mut self, ended: Option<Time>) -> bool {
        let expires = Some(self.keeping.head.expires());
        let end = ended.map(|ended| self.tape.end(ended));
        for (id, value) in self.tape.segment().into_iter().chain(end.into_iter().flatten()) {
            let append = pin!(self.host.append(&self.log, &id, value, expires));
            // The caller and the provider wait for it, but not for a store that does not answer.
            match future::select(append, pin!(self.host.sleep(PATIENCE))).await {
                Either::Left((Ok(_), _)) => {}
                Either::Left((Err(_), _)) | Either::Right(_) => return false,
            }
        }
        true
    }

    /// Notes the id under which a caller of Responses knows its answer.
    async fn name(&mut self, bytes: &Bytes) {
        let frames = Splitter::default().push(bytes).unwrap_or_default();
        let text = |frame: &Bytes| sse::response_id(std::str::from_utf8(frame).ok()?);
        let Some(response) = frames.iter().find_map(text) else { return };
        self.named = true;
        let (tenant, head) = (&self.keeping.tenant, &self.keeping.head);
        let stream = Bytes::from(self.keeping.id.clone());
        let key = resume::of_response(tenant, &response);
        let expires = Some(head.expires());
        // Without it the answer is still found by the stream's id. One that comes from the cache has an id that stood for
        // another stream before.
        if let Ok(Swap::Lost(Some(seen))) =
            self.host.swap(&key, 0, stream.clone(), expires, self.host.now()).await
        {
            let _ = self.host.swap(&key, seen.version, stream, expires, self.host.now()).await;
        }
    }
}
