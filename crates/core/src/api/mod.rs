//! The surfaces: which routes there are, what they take and what they answer. Pure; `serve` does the asking.

pub mod answer;
pub mod platform;
pub mod reports;
pub mod response;
pub mod voice;

use http::Method;

use crate::error::{Error, Kind};

/// Whose conventions a path follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `/v1/*`: OpenAI's.
    OpenAi,
    /// Everything else: ours, with problem details (RFC 9457).
    Platform,
}

/// What answers a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The table below says what each is.
pub enum Handler {
    Root,
    Health,
    Ready,
    Status,
    Models,
    Completions,
    Chat,
    ChatStream,
    TaskCreate,
    TaskRead,
    TaskEvents,
    TaskCancel,
    Receipts,
    Usage,
    DeadLetters,
}

/// A row of the route table.
pub struct Row {
    method: &'static str,
    /// One segment may be `{id}`.
    path: &'static str,
    /// What answers.
    pub handler: Handler,
    /// Whether a caller must be known.
    pub keyed: bool,
}

const fn open(method: &'static str, path: &'static str, handler: Handler) -> Row {
    Row { method, path, handler, keyed: false }
}

const fn keyed(method: &'static str, path: &'static str, handler: Handler) -> Row {
    Row { method, path, handler, keyed: true }
}

/// Every route.
pub const ROUTES: [Row; 15] = [
    open("GET", "/", Handler::Root),
    open("GET", "/health", Handler::Health),
    open("GET", "/health/ready", Handler::Ready),
    open("GET", "/api/status", Handler::Status),
    keyed("GET", "/v1/models", Handler::Models),
    keyed("POST", "/v1/chat/completions", Handler::Completions),
    keyed("POST", "/api/v1/chat", Handler::Chat),
    keyed("POST", "/api/v1/chat/stream", Handler::ChatStream),
    keyed("POST", "/api/v1/tasks", Handler::TaskCreate),
    keyed("GET", "/api/v1/tasks/{id}", Handler::TaskRead),
    keyed("GET", "/api/v1/tasks/{id}/events", Handler::TaskEvents),
    keyed("DELETE", "/api/v1/tasks/{id}", Handler::TaskCancel),
    keyed("GET", "/api/v1/receipts", Handler::Receipts),
    keyed("GET", "/api/v1/usage", Handler::Usage),
    keyed("GET", "/api/v1/dead-letters", Handler::DeadLetters),
];

/// The surface that a path belongs to, existing or not.
pub fn surface(path: &str) -> Surface {
    if path == "/v1" || path.starts_with("/v1/") { Surface::OpenAi } else { Surface::Platform }
}

/// The row of a request, with its `{id}`.
pub fn find<'a>(method: &Method, path: &'a str) -> Result<(&'static Row, Option<&'a str>), Error> {
    let mut allowed = Vec::new();
    for row in &ROUTES {
        let Some(id) = matches(row.path, path) else { continue };
        if row.method == method.as_str() {
            return Ok((row, id));
        }
        allowed.push(row.method);
    }
    if allowed.is_empty() {
        return Err(Error::new(
            Kind::NotFound,
            format!("there is no {path} here; the README lists the routes"),
        ));
    }
    let detail = format!("{path} takes {}, not {method}", allowed.join(" or "));
    Err(Error { param: Some(allowed.join(", ")), ..Error::new(Kind::MethodNotAllowed, detail) })
}

/// `Some(None)`: they are equal; `Some(Some(id))`: the path has `id` where the pattern has `{id}`.
fn matches<'a>(pattern: &str, path: &'a str) -> Option<Option<&'a str>> {
    let mut id = None;
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(id),
            (Some("{id}"), Some(segment)) if !segment.is_empty() => id = Some(segment),
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_found_by_method_and_path() {
        let found = |method, path| {
            find(&method, path).map(|(row, id)| (row.handler, id)).map_err(|error| error.status())
        };
        assert_eq!(found(Method::GET, "/"), Ok((Handler::Root, None)));
        assert_eq!(found(Method::GET, "/api/v1/tasks/x/events"), Ok((Handler::TaskEvents, Some("x"))));
        assert_eq!(found(Method::DELETE, "/api/v1/tasks/x"), Ok((Handler::TaskCancel, Some("x"))));
        assert_eq!(found(Method::GET, "/api/v1/tasks/"), Err(404));
        assert_eq!(found(Method::GET, "/v1/chat/completions"), Err(405));
        assert_eq!(found(Method::GET, "/v1/chat/completions/"), Err(404));
    }
}
