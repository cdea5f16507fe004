//! The request that goes upstream.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use serde::Deserialize;
use serde_json::json;

use crate::call::Shape;
use crate::error::{Error, Kind};
use crate::route::Target;
use crate::wire::json::Members;
use crate::wire::prompt::Prompt;

/// `POST {base_url}/chat/completions`, or `…/embeddings`. A caller's own request keeps everything but `model` and `stream_options`.
pub fn request(
    target: &Target,
    prompt: &Prompt,
    shape: Shape,
    credential: Option<&str>,
) -> Result<Request<Bytes>, Error> {
    let (path, body) = match prompt {
        Prompt::OpenAi(members) => ("chat/completions", passed_on(members.clone(), target, shape)),
        Prompt::Plain(plain) => {
            let mut members = Members::default();
            members.set("model", &target.model);
            members.set("messages", &plain.messages);
            members.extend(&plain.params);
            if shape == Shape::Stream {
                members.set("stream", &true);
            }
            ("chat/completions", passed_on(members, target, shape))
        }
        Prompt::Embeddings(members) => ("embeddings", passed_on(members.clone(), target, shape)),
    };
    let uri = format!("{}/{path}", target.base_url);
    let mut request = Request::new(Bytes::from(body.text()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() =
        uri.parse().map_err(|_| ours(format!("the base_url of target {} is not a URL", target.provider)))?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = if shape == Shape::Stream { "text/event-stream" } else { "application/json" };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(credential) = credential {
        let mut value = HeaderValue::from_str(&format!("Bearer {credential}"))
            .map_err(|_| ours(format!("the secret of target {} is not printable ASCII", target.provider)))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(request)
}

fn passed_on(mut members: Members, target: &Target, shape: Shape) -> Members {
    members.set("model", &target.model);
    if shape == Shape::Stream {
        let mut options = members.read::<Members>("stream_options").ok().flatten().unwrap_or_default();
        options.set("include_usage", &true);
        members.set("stream_options", &options);
    }
    members
}

/// Whether a caller asked for a stream.
pub fn wants_stream(members: &Members) -> Result<bool, Error> {
    let wanted = members.read::<bool>("stream");
    Ok(wanted.map_err(|_| Error::invalid("`stream` must be true or false").at("stream"))?.unwrap_or(false))
}

/// Whether a caller asked for the usage frame.
pub fn wants_usage(members: &Members) -> bool {
    #[derive(Deserialize)]
    struct Options {
        include_usage: Option<bool>,
    }
    let options = members.read::<Options>("stream_options").ok().flatten();
    options.and_then(|options| options.include_usage).unwrap_or(false)
}

/// `GET /v1/models` for the names that this deployment answers to.
pub fn models_of(names: &[String]) -> serde_json::Value {
    let data: Vec<_> = names.iter().map(|name| model_of(name)).collect();
    json!({"object": "list", "data": data})
}

/// One model: its owner is what stands before the slash.
pub fn model_of(name: &str) -> serde_json::Value {
    let owner = name.split_once('/').map_or("opencode", |(owner, _)| owner);
    json!({"id": name, "object": "model", "created": 0, "owned_by": owner})
}

fn ours(detail: String) -> Error {
    Error::new(Kind::Internal, detail)
}
