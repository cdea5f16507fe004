//! Files that are kept between the runs of one session: of one tenant and one key, for a bounded time.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::settle;
use crate::api::execute;
use crate::cache::hex;
use crate::error::{Error, Kind};
use crate::host::{Bytes, Held, Host, Key, MAX_BLOB, Time};
use crate::identity::Identity;
use crate::ledger::reserve;
use crate::sandbox::{Encoding, Execution, File, bounds, clash};
use crate::wire::json::parse;

/// The longest name of a session.
const MAX_NAME: usize = 64;

/// Where a session's files are. The key's hash is a part of it: another key of the same id is another user.
pub fn files(identity: &Identity, name: &str) -> Result<Key, Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
        let detail = format!("`session` must be 1 to {MAX_NAME} letters, digits, `-`, `_` and `.`");
        return Err(Error::new(Kind::Unprocessable, detail).at("session"));
    }
    let Identity { tenant, key, key_hash, .. } = identity;
    Ok(Key::new(tenant, format!("session/{key}-{key_hash}/{name}")))
}

/// A session in use by one run.
pub struct Session {
    name: String,
    key: Key,
    /// Of the lock.
    lock: String,
    files: Vec<File>,
    keep: Duration,
}

impl Session {
    /// Takes it, and what is kept of it. `due` is when its run is over at the latest.
    pub async fn take<H: Host>(
        host: &H,
        identity: &Identity,
        name: &str,
        due: Time,
        keep_seconds: u64,
    ) -> Result<Self, Error> {
        let key = files(identity, name)?;
        if keep_seconds == 0 {
            let detail = "sessions are switched off here: leave `session` out";
            return Err(Error::new(Kind::Unprocessable, detail).at("session"));
        }
        let digest = hex(&Sha256::digest(key.to_string()));
        let lock = format!("session{}", digest.get(..40).unwrap_or_default());
        let tenant = &identity.tenant;
        let hold = reserve::lock(tenant, &lock, due.plus(Duration::from_secs(5)));
        let mut held = host.hold(&hold).await?;
        if held == Held::Already && settle::sweep(host, tenant, host.now()).await?.swept > 0 {
            held = host.hold(&hold).await?;
        }
        if held != Held::Held {
            let detail = "another run of this session is under way: wait for its end";
            return Err(Error::new(Kind::Conflict, detail).at("session"));
        }
        let mut session = Self {
            name: name.to_owned(),
            key,
            lock,
            files: Vec::new(),
            keep: Duration::from_secs(keep_seconds),
        };
        match host.get(&session.key, host.now()).await {
            Ok(stored) => {
                let stored =
                    stored.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
                session.files = execute::files(&parse(&stored).unwrap_or_default()).unwrap_or_default();
                Ok(session)
            }
            Err(error) => {
                session.unlock(host).await;
                Err(error.into())
            }
        }
    }

    /// Puts its files before those of a run, which go over them.
    pub fn add_to(&mut self, execution: &mut Execution) -> Result<(), Error> {
        let sent = |file: &File| execution.files.iter().any(|other| other.name == file.name);
        let mut files: Vec<File> = self.files.iter().filter(|file| !sent(file)).cloned().collect();
        files.append(&mut execution.files);
        self.files.clone_from(&files);
        execution.files = files;
        execution.check().map_err(|error| {
            let detail = format!("with the files of its session, {}", error.detail);
            Error::new(Kind::Unprocessable, detail).at("session")
        })
    }

    /// Keeps the files as a run has left them; says which there are, and which could not be kept.
    pub async fn keep<H: Host>(&mut self, host: &H, outcome: &Value) -> Value {
        let lost = merge(&mut self.files, outcome);
        let value = json!({"files": self.files}).to_string();
        let expires = host.now().plus(self.keep);
        let fits = value.len() <= MAX_BLOB;
        let kept = fits && host.put(&self.key, Bytes::from(value), expires).await.is_ok();
        let files: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        json!({
            "name": self.name,
            "kept": kept,
            "files": files,
            "lost": lost,
            "expires": expires,
        })
    }

    /// Lets the next run take it.
    pub async fn unlock<H: Host>(self, host: &H) {
        // A lock that stays is swept once its lease is over.
        let _ = host.close(&self.lock, &reserve::unlocked(self.key.tenant())).await;
    }
}

/// New and changed files go over the old ones, removed ones go; plots that the code did not save are no files. Gives the
/// names of those that cannot be kept.
fn merge(files: &mut Vec<File>, outcome: &Value) -> Vec<String> {
    let list = |name: &str| outcome.get(name).and_then(Value::as_array).into_iter().flatten();
    let gone: Vec<&str> = list("removed").filter_map(Value::as_str).collect();
    files.retain(|file| !gone.contains(&file.name.as_str()));
    let mut lost = Vec::new();
    for artifact in list("artifacts").filter(|it| it.get("plot") != Some(&Value::Bool(true))) {
        let text = |name: &str| artifact.get(name).and_then(Value::as_str);
        let Some(name) = text("name") else { continue };
        files.retain(|file| file.name != name);
        let Some(content) = text("content") else {
            lost.push(name.to_owned());
            continue;
        };
        let (name, content) = (name.to_owned(), content.to_owned());
        files.push(File { name, content, encoding: Encoding::Base64 });
        if files.len() > bounds::FILES || clash(files.iter().map(|file| file.name.as_str())).is_some() {
            lost.extend(files.pop().map(|file| file.name));
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_keeps_what_its_runs_leave() {
        let file =
            |name: &str| File { name: name.to_owned(), content: String::new(), encoding: Encoding::Utf8 };
        let mut files = vec![file("old"), file("changed"), file("gone")];
        let outcome = json!({
            "removed": ["gone"],
            "artifacts": [
                {"name": "changed", "content": "eA=="},
                {"name": "new/a", "content": "eQ=="},
                {"name": "plot-1.png", "content": "eQ==", "plot": true},
                {"name": "old", "bytes": 5},
                {"name": "new", "content": "eQ=="},
            ],
        });
        assert_eq!(merge(&mut files, &outcome), ["old", "new"]);
        let left: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.content.as_str())).collect();
        assert_eq!(left, [("changed", "eA=="), ("new/a", "eQ==")]);
    }
}
