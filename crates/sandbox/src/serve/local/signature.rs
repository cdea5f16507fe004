//! Whether a request comes from somebody who knows the secret that was made at the start.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::request::Parts;
use opencode_core::host::Time;
use opencode_core::wire::aws::sigv4::{Authorization, Request, Scope};

use super::REGION;

/// How far a request's clock may be from ours, in milliseconds: as AWS has it.
const WINDOW: u64 = 5 * 60 * 1000;

/// A secret and the id of its key.
#[derive(Clone)]
pub struct Secret {
    /// See [`super::Ready::access_key_id`].
    pub id: String,
    /// See [`super::Ready::secret_access_key`].
    pub secret: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Secret").field(&self.id).finish()
    }
}

impl Secret {
    /// From the system's randomness.
    pub fn make() -> Result<Self, String> {
        Ok(Self { id: format!("LOCAL{}", random_hex(8)?.to_uppercase()), secret: random_hex(32)? })
    }

    /// Whether the request is signed with it, with its `host`, its tenant and every other `x-amz-` header.
    pub fn signed(&self, parts: &Parts, body: &[u8]) -> bool {
        let Some(said) = header(&parts.headers, "authorization").and_then(Authorization::parse) else {
            return false;
        };
        let amazon =
            parts.headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
        let all = amazon.chain(["host"]).all(|name| said.headers.contains(&name));
        let sent = said.headers.iter().map(|name| Some((*name, header(&parts.headers, name)?)));
        let Some(headers) = sent.collect::<Option<Vec<_>>>() else { return false };
        let request = Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &headers,
            body,
        };
        let scope = Scope { region: REGION, service: "lambda" };
        all && said.id == self.id && said.scope == scope && said.holds(&request, &self.secret, now(), WINDOW)
    }
}

/// The one value of a header; `None` where it is missing, twice there or no text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}

/// So many bytes of the system's randomness, in hexadecimal digits.
pub fn random_hex(bytes: usize) -> Result<String, String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| format!("the system gives no random bytes: {error}"))?;
    Ok(random.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// The system's clock.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
