//! The route table: what is served, what is planned, who may call it. `/openapi.json` is made of it.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::error::{Error, Kind};
use crate::identity::role::Role;

/// What answers a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The table below says what each is.
pub enum Handler {
    Root,
    Health,
    Ready,
    Status,
    OpenApi,
    Token,
    Models,
    Model,
    Completions,
    Responses,
    Messages,
    CountTokens,
    Generate,
    GenerateStream,
    Embeddings,
    StreamFollow,
    ResponseFollow,
    Chat,
    ChatStream,
    TaskCreate,
    TaskRead,
    TaskEvents,
    TaskCancel,
    Receipts,
    Usage,
    Metrics,
    DeadLetters,
    KeyList,
    KeyCreate,
    KeyRevoke,
    ConfigRead,
    ConfigWrite,
    ConfigRemove,
    Execute,
    SessionRemove,
    /// In the contract, not built yet: it answers 501.
    Planned,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Open,
    /// Callers with at least this role.
    From(Role),
}

/// What a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// No body.
    Nothing,
    /// `application/json` of this schema.
    Json(&'static str),
    /// `application/toml`: a configuration.
    Toml,
    /// `multipart/form-data` with a `file`.
    File,
}

/// What a route answers when all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// JSON of this schema, with this status.
    Json(u16, &'static str),
    /// An event stream.
    Events,
    /// JSON of this schema, or an event stream where the body says `stream: true`.
    Either(&'static str),
    /// Nothing, with status 204.
    Nothing,
    /// A configuration as TOML.
    Toml,
}

/// A row of the route table.
pub struct Row {
    /// `GET`, `POST`, `PUT`, `DELETE`.
    pub method: &'static str,
    /// One segment may be a name in braces. `{model}` takes the rest of the path, since models' names hold slashes.
    pub path: &'static str,
    /// What answers.
    pub handler: Handler,
    /// Who may call.
    pub access: Access,
    /// What it takes.
    pub takes: Takes,
    /// What it answers.
    pub gives: Gives,
    /// One line for `/openapi.json`.
    pub summary: &'static str,
}

impl Row {
    /// Whether it is another path of a row that stands before it: served, and not described.
    pub fn is_alias(&self) -> bool {
        let generates = matches!(self.handler, Handler::Generate | Handler::GenerateStream);
        generates && !self.path.starts_with("/v1beta/models/")
    }
}

const fn row(
    method: &'static str,
    path: &'static str,
    handler: Handler,
    access: Access,
    takes: Takes,
    gives: Gives,
    summary: &'static str,
) -> Row {
    Row { method, path, handler, access, takes, gives, summary }
}

use Access::{From, Open};
use Gives::{Either, Events, Json as Answer};
use Handler as H;
use Role::{Admin, Operator, Readonly, User};
use Takes::{File, Json, Nothing};

/// Every route.
#[rustfmt::skip] // A table.
pub const ROUTES: [Row; 50] = [
    row("GET", "/", H::Root, Open, Nothing, Answer(200, "Root"), "The platform's name and version"),
    row("GET", "/health", H::Health, Open, Nothing, Answer(200, "Health"), "Whether this process answers"),
    row("GET", "/health/ready", H::Ready, Open, Nothing, Answer(200, "Ready"), "Whether stores, queue and targets can be used; 503 when not"),
    row("GET", "/api/status", H::Status, Open, Nothing, Answer(200, "Status"), "Whether anything can be asked"),
    row("GET", "/openapi.json", H::OpenApi, Open, Nothing, Answer(200, "Anything"), "This description"),
    row("POST", "/api/v1/auth/token", H::Token, Open, Json("TokenRequest"), Answer(200, "Token"), "Exchange an API key for a short-lived token"),
    row("GET", "/v1/models", H::Models, From(Readonly), Nothing, Answer(200, "ModelList"), "The models that this deployment answers to"),
    row("GET", "/v1/models/{model}", H::Model, From(Readonly), Nothing, Answer(200, "Model"), "One model"),
    row("POST", "/v1/chat/completions", H::Completions, From(User), Json("ChatCompletionRequest"), Either("ChatCompletion"), "A chat completion in OpenAI's dialect"),
    row("POST", "/v1/responses", H::Responses, From(User), Json("ResponsesRequest"), Either("Anything"), "An answer in the dialect of OpenAI's Responses"),
    row("GET", "/v1/responses/{response_id}", H::ResponseFollow, From(User), Nothing, Events, "Take up a stream of `/v1/responses` after an event; takes `stream=true`"),
    row("GET", "/v1/streams/{stream_id}", H::StreamFollow, From(User), Nothing, Events, "Take up a resumable stream after the event of `Last-Event-ID`"),
    row("POST", "/v1/messages", H::Messages, From(User), Json("MessagesRequest"), Either("Anything"), "An answer in Anthropic's dialect"),
    row("POST", "/v1/messages/count_tokens", H::CountTokens, From(User), Json("TokenCountRequest"), Answer(200, "TokenCount"), "An estimate of a request's input tokens, in Anthropic's dialect"),
    row("POST", "/v1beta/models/{model}:generateContent", H::Generate, From(User), Json("GenerateRequest"), Answer(200, "Anything"), "An answer in Gemini's dialect"),
    row("POST", "/v1beta/models/{model}:streamGenerateContent", H::GenerateStream, From(User), Json("GenerateRequest"), Events, "An answer in Gemini's dialect, streamed; takes `alt=sse` alone"),
    row("POST", "/v1/models/{model}:generateContent", H::Generate, From(User), Json("GenerateRequest"), Answer(200, "Anything"), "The same, where Google's libraries ask for version v1"),
    row("POST", "/v1/models/{model}:streamGenerateContent", H::GenerateStream, From(User), Json("GenerateRequest"), Events, "The same, where Google's libraries ask for version v1"),
    row("POST", "/v1beta/{model}:generateContent", H::Generate, From(User), Json("GenerateRequest"), Answer(200, "Anything"), "The same, as Vercel's library asks for a model with a slash in its name"),
    row("POST", "/v1beta/{model}:streamGenerateContent", H::GenerateStream, From(User), Json("GenerateRequest"), Events, "The same, as Vercel's library asks for a model with a slash in its name"),
    row("POST", "/v1/{model}:generateContent", H::Generate, From(User), Json("GenerateRequest"), Answer(200, "Anything"), "The same, in version v1"),
    row("POST", "/v1/{model}:streamGenerateContent", H::GenerateStream, From(User), Json("GenerateRequest"), Events, "The same, in version v1"),
    row("POST", "/v1/embeddings", H::Embeddings, From(User), Json("EmbeddingRequest"), Answer(200, "EmbeddingList"), "Embeddings in OpenAI's dialect, passed through"),
    row("POST", "/api/v1/chat", H::Chat, From(User), Json("ChatRequest"), Either("ChatResult"), "An answer of a mode"),
    row("POST", "/api/v1/chat/stream", H::ChatStream, From(User), Json("ChatRequest"), Events, "An answer of a mode, streamed"),
    row("POST", "/api/v1/tasks", H::TaskCreate, From(User), Json("ChatRequest"), Answer(202, "Task"), "Begin a detached run of a mode"),
    row("GET", "/api/v1/tasks/{task_id}", H::TaskRead, From(Readonly), Nothing, Answer(200, "Task"), "Where a run stands"),
    row("DELETE", "/api/v1/tasks/{task_id}", H::TaskCancel, From(User), Nothing, Answer(200, "Task"), "Cancel a run"),
    row("GET", "/api/v1/tasks/{task_id}/events", H::TaskEvents, From(Readonly), Nothing, Events, "Follow a run"),
    row("GET", "/api/v1/receipts", H::Receipts, From(Readonly), Nothing, Answer(200, "ReceiptPage"), "What each answer cost"),
    row("GET", "/api/v1/usage", H::Usage, From(Readonly), Nothing, Answer(200, "Usage"), "Totals per day"),
    row("GET", "/api/v1/metrics", H::Metrics, From(Readonly), Nothing, Answer(200, "Metrics"), "Requests, latency and success per cognitive level"),
    row("GET", "/api/v1/dead-letters", H::DeadLetters, From(Readonly), Nothing, Answer(200, "DeadLetterPage"), "Messages that could not be handled"),
    row("GET", "/api/v1/keys", H::KeyList, From(Admin), Nothing, Answer(200, "KeyList"), "The tenant's API keys"),
    row("POST", "/api/v1/keys", H::KeyCreate, From(Admin), Json("KeyRequest"), Answer(201, "NewKey"), "Make an API key; its text is shown once"),
    row("DELETE", "/api/v1/keys/{key_id}", H::KeyRevoke, From(Admin), Nothing, Gives::Nothing, "Revoke an API key, and with it its tokens"),
    row("GET", "/api/v1/config", H::ConfigRead, From(Operator), Nothing, Gives::Toml, "The stored configuration"),
    row("PUT", "/api/v1/config", H::ConfigWrite, From(Operator), Takes::Toml, Gives::Nothing, "Store a configuration; in force everywhere within 30 s"),
    row("DELETE", "/api/v1/config", H::ConfigRemove, From(Operator), Nothing, Gives::Nothing, "Go back to the configuration that the hosts were started with"),
    row("POST", "/api/v1/documents/upload", H::Planned, From(User), File, Answer(202, "Anything"), "Add a document to the knowledge base"),
    row("GET", "/api/v1/documents/status/{task_id}", H::Planned, From(Readonly), Nothing, Answer(200, "Anything"), "Where a document's indexing stands"),
    row("POST", "/api/v1/search", H::Planned, From(User), Json("SearchRequest"), Answer(200, "Anything"), "Search the web"),
    row("POST", "/api/v1/sandbox/execute", H::Execute, From(User), Json("ExecuteRequest"), Either("Execution"), "Run code in the sandbox"),
    row("DELETE", "/api/v1/sandbox/sessions/{session_id}", H::SessionRemove, From(User), Nothing, Gives::Nothing, "Forget the files of a session"),
    row("GET", "/api/v1/mcp/servers", H::Planned, From(Readonly), Nothing, Answer(200, "Anything"), "Connected MCP servers"),
    row("GET", "/api/v1/mcp/tools", H::Planned, From(Readonly), Nothing, Answer(200, "Anything"), "Tools of the connected MCP servers"),
    row("GET", "/api/v1/a2a/agents", H::Planned, From(Readonly), Nothing, Answer(200, "Anything"), "Agents that work can be handed to"),
    row("GET", "/api/v1/packages", H::Planned, From(Readonly), Nothing, Answer(200, "Anything"), "Installed packages"),
    row("POST", "/api/v1/packages/{package_id}/start", H::Planned, From(Admin), Nothing, Answer(200, "Anything"), "Start a package"),
    row("POST", "/api/v1/packages/{package_id}/stop", H::Planned, From(Admin), Nothing, Answer(200, "Anything"), "Stop a package"),
];

/// The row of a request, with what stands where its path has a name in braces (percent-decoded).
pub fn find<'a>(method: &Method, path: &'a str) -> Result<(&'static Row, Option<Cow<'a, str>>), Error> {
    let mut allowed = Vec::new();
    for row in &ROUTES {
        let Some(id) = matches(row.path, path) else { continue };
        if row.method == method.as_str() {
            let id = id.map(|id| percent_decode_str(id).decode_utf8_lossy());
            return Ok((row, id));
        }
        allowed.push(row.method);
    }
    if allowed.is_empty() {
        let detail = format!("there is no {path} here; GET /openapi.json lists the routes");
        return Err(Error::new(Kind::NotFound, detail));
    }
    let detail = format!("{path} takes {}, not {method}", allowed.join(" or "));
    Err(Error { param: Some(allowed.join(", ")), ..Error::new(Kind::MethodNotAllowed, detail) })
}

/// `Some(None)`: they are equal; `Some(Some(id))`: the path has `id` where the pattern has a name in braces.
fn matches<'a>(pattern: &str, path: &'a str) -> Option<Option<&'a str>> {
    if let Some((prefix, suffix)) = pattern.split_once("{model}") {
        let model = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
        return (!model.is_empty() && !model.ends_with('/')).then_some(Some(model));
    }
    let mut id = None;
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(id),
            (Some(wanted), Some(segment)) if wanted.starts_with('{') && !segment.is_empty() => {
                id = Some(segment);
            }
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
            let row = find(&method, path).map_err(|error| error.status())?;
            Ok((row.0.handler, row.1.map(Cow::into_owned)))
        };
        let with = |handler, id: &str| Ok((handler, Some(id.to_owned())));
        assert_eq!(found(Method::GET, "/"), Ok((Handler::Root, None)));
        assert_eq!(found(Method::GET, "/api/v1/tasks/x/events"), with(Handler::TaskEvents, "x"));
        assert_eq!(found(Method::DELETE, "/api/v1/tasks/x"), with(Handler::TaskCancel, "x"));
        assert_eq!(found(Method::GET, "/v1/models/a/b/c"), with(Handler::Model, "a/b/c"));
        assert_eq!(found(Method::GET, "/v1/models/a%2Fb"), with(Handler::Model, "a/b"));
        assert_eq!(found(Method::POST, "/v1beta/models/a/b:generateContent"), with(Handler::Generate, "a/b"));
        assert_eq!(found(Method::POST, "/v1beta/models/:generateContent"), Err(404));
        assert_eq!(found(Method::GET, "/v1/models/"), Err(404));
        assert_eq!(found(Method::GET, "/api/v1/tasks/"), Err(404));
        assert_eq!(found(Method::GET, "/v1/chat/completions"), Err(405));
        assert_eq!(found(Method::GET, "/v1/chat/completions/"), Err(404));
    }

    #[test]
    fn no_two_rows_are_the_same() {
        for (at, row) in ROUTES.iter().enumerate() {
            let twin = ROUTES.iter().skip(at + 1).find(|it| (it.method, it.path) == (row.method, row.path));
            assert!(twin.is_none(), "{} {}", row.method, row.path);
        }
    }
}
