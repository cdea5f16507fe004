//! The SDKs under test, and the dialect that each speaks to the platform.

use serde_json::{Value, json};

/// How a request is written, by a client or to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Gemini.
    Gemini,
}

impl Dialect {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    /// The test configuration's target that speaks it.
    pub fn target(self) -> &'static str {
        match self {
            Self::Chat => "wall",
            Self::Responses => "wall-responses",
            Self::Messages => "wall-anthropic",
            Self::Gemini => "wall-gemini",
        }
    }
}

/// A client under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its name in a trial's, and in a job's `sdk`.
    pub name: &'static str,
    /// Which process runs its jobs.
    pub script: &'static str,
    /// What it speaks to the platform.
    pub dialect: Dialect,
    /// What stands between the platform's URL and the paths that the SDK adds.
    base: &'static str,
    /// What stands before a model's name.
    models: &'static str,
    /// Its class for each refusal; the first that fits the status. `None`: it has one class for all.
    classes: Classes,
}

type Classes = Option<&'static [(u16, &'static str)]>;

/// By the lowest status that a class is for; the last that is not above the status counts.
const STAINLESS: Classes = Some(&[
    (400, "BadRequestError"),
    (401, "AuthenticationError"),
    (403, "PermissionDeniedError"),
    (404, "NotFoundError"),
    (422, "UnprocessableEntityError"),
    (429, "RateLimitError"),
    (500, "InternalServerError"),
]);

/// Anthropic's has some more.
const ANTHROPICS: Classes = Some(&[
    (400, "BadRequestError"),
    (401, "AuthenticationError"),
    (403, "PermissionDeniedError"),
    (404, "NotFoundError"),
    (422, "UnprocessableEntityError"),
    (429, "RateLimitError"),
    (500, "InternalServerError"),
    (503, "ServiceUnavailableError"),
    (504, "GatewayTimeoutError"),
]);

impl Client {
    /// PyPI's `openai`, with threads.
    pub const PYTHON: Self = Self::new("openai-python", "openai_jobs.py", Dialect::Chat, "/v1", STAINLESS);
    /// PyPI's `openai`, with asyncio.
    pub const PYTHON_ASYNC: Self = Self { name: "openai-python-async", ..Self::PYTHON };
    /// npm's `openai`.
    pub const NODE: Self = Self { name: "openai-node", script: "openai_jobs.mjs", ..Self::PYTHON };
    /// The `responses` of PyPI's `openai`, with threads.
    pub const RESPONSES_PYTHON: Self =
        Self::new("responses-python", "responses_jobs.py", Dialect::Responses, "/v1", STAINLESS);
    /// The same with asyncio.
    pub const RESPONSES_PYTHON_ASYNC: Self =
        Self { name: "responses-python-async", ..Self::RESPONSES_PYTHON };
    /// The `responses` of npm's `openai`.
    pub const RESPONSES_NODE: Self =
        Self { name: "responses-node", script: "responses_jobs.mjs", ..Self::RESPONSES_PYTHON };
    /// PyPI's `anthropic`, with threads.
    pub const ANTHROPIC_PYTHON: Self =
        Self::new("anthropic-python", "anthropic_jobs.py", Dialect::Messages, "", ANTHROPICS);
    /// PyPI's `anthropic`, with asyncio.
    pub const ANTHROPIC_PYTHON_ASYNC: Self =
        Self { name: "anthropic-python-async", ..Self::ANTHROPIC_PYTHON };
    /// npm's `@anthropic-ai/sdk`.
    pub const ANTHROPIC_NODE: Self =
        Self { name: "anthropic-node", script: "anthropic_jobs.mjs", ..Self::ANTHROPIC_PYTHON };
    /// PyPI's `google-genai`, with threads.
    pub const GOOGLE_PYTHON: Self = Self::new(
        "google-python",
        "google_jobs.py",
        Dialect::Gemini,
        "",
        Some(&[(400, "ClientError"), (500, "ServerError")]),
    );
    /// PyPI's `google-genai`, with asyncio.
    pub const GOOGLE_PYTHON_ASYNC: Self = Self { name: "google-python-async", ..Self::GOOGLE_PYTHON };
    /// npm's `@google/genai`.
    pub const GOOGLE_NODE: Self =
        Self::new("google-node", "google_jobs.mjs", Dialect::Gemini, "", Some(&[(400, "ApiError")]));
    /// `ai` over the chat completions of `@ai-sdk/openai`.
    pub const AI_OPENAI: Self = Self::new("ai-openai", "ai_jobs.mjs", Dialect::Chat, "/v1", None);
    /// `ai` over `@ai-sdk/openai-compatible`.
    pub const AI_COMPATIBLE: Self = Self { name: "ai-compatible", ..Self::AI_OPENAI };
    /// `ai` over the Responses of `@ai-sdk/openai`, which is what that provider does unless told otherwise.
    pub const AI_RESPONSES: Self =
        Self { name: "ai-responses", dialect: Dialect::Responses, ..Self::AI_OPENAI };
    /// `ai` over `@ai-sdk/anthropic`.
    pub const AI_ANTHROPIC: Self =
        Self { name: "ai-anthropic", dialect: Dialect::Messages, ..Self::AI_OPENAI };
    /// `ai` over `@ai-sdk/google`, which takes a name with a slash in it for a whole path.
    pub const AI_GOOGLE: Self = Self {
        name: "ai-google",
        dialect: Dialect::Gemini,
        base: "/v1beta",
        models: "models/",
        ..Self::AI_OPENAI
    };

    const fn new(
        name: &'static str,
        script: &'static str,
        dialect: Dialect,
        base: &'static str,
        classes: Classes,
    ) -> Self {
        Self { name, script, dialect, base, models: "", classes }
    }

    /// What its jobs say about where to ask, with which key, and which model if any.
    pub fn address(self, job: &mut Value, url: &str, key: &str, model: Option<&str>) {
        job["sdk"] = json!(self.name);
        job["url"] = json!(format!("{url}{}", self.base));
        job["key"] = json!(key);
        if let Some(model) = model {
            job["params"]["model"] = json!(format!("{}{model}", self.models));
        }
    }

    /// What it raises for a status.
    pub fn class(self, status: u16) -> Option<&'static str> {
        let fits = |(from, _): &&(u16, &str)| *from <= status;
        self.classes?.iter().rev().find(fits).map(|(_, class)| *class)
    }
}

/// OpenAI's own, for chat completions.
pub const OPENAI: &[Client] = &[Client::PYTHON, Client::PYTHON_ASYNC, Client::NODE];
/// OpenAI's own, for Responses.
pub const RESPONSES: &[Client] =
    &[Client::RESPONSES_PYTHON, Client::RESPONSES_PYTHON_ASYNC, Client::RESPONSES_NODE];
/// Anthropic's own.
pub const ANTHROPIC: &[Client] =
    &[Client::ANTHROPIC_PYTHON, Client::ANTHROPIC_PYTHON_ASYNC, Client::ANTHROPIC_NODE];
/// Google's own.
pub const GOOGLE: &[Client] = &[Client::GOOGLE_PYTHON, Client::GOOGLE_PYTHON_ASYNC, Client::GOOGLE_NODE];
/// Vercel's, for chat completions.
pub const AI: &[Client] = &[Client::AI_OPENAI, Client::AI_COMPATIBLE];
/// Vercel's, for the other dialects.
pub const AI_OTHERS: &[Client] = &[Client::AI_RESPONSES, Client::AI_ANTHROPIC, Client::AI_GOOGLE];
/// All that speak chat completions.
pub const EVERY: &[Client] =
    &[Client::PYTHON, Client::PYTHON_ASYNC, Client::NODE, Client::AI_OPENAI, Client::AI_COMPATIBLE];
