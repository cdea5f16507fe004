//! The request that goes upstream: the caller's own where both sides speak the same dialect, else translated.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request};

use super::Dialect;
use super::builtin::has_own;
use super::conversation::{Cannot, Format};
use super::json::Members;
use super::prompt::{DEFAULT_TEMPERATURE, Plain, Prompt};
use crate::call::Shape;
use crate::catalog::Abilities;
use crate::error::{Error, Kind};
use crate::route::Target;

/// What is sent to a target. Fails with a 400 that names the member, where the target's dialect cannot say it.
pub fn request(
    target: &Target,
    prompt: &Prompt,
    shape: Shape,
    credential: Option<&str>,
) -> Result<Request<Bytes>, Error> {
    let (uri, body) = match prompt {
        Prompt::Embeddings(members) => {
            let mut members = members.clone();
            members.set("model", &target.model);
            (format!("{}/embeddings", target.base_url), members)
        }
        Prompt::Own(..) | Prompt::Offered(..) | Prompt::Plain(_) => {
            (target.dialect.uri(&target.base_url, &target.model, shape), body(target, prompt, shape)?)
        }
    };
    let mut request = Request::new(Bytes::from(body.text()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() =
        uri.parse().map_err(|_| ours(format!("the base_url of target {} is not a URL", target.provider)))?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = if shape == Shape::Stream { "text/event-stream" } else { "application/json" };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in target.dialect.headers() {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Some(credential) = credential {
        let (name, value) = target
            .dialect
            .credential(credential)
            .map_err(|_| ours(format!("the secret of target {} is not printable ASCII", target.provider)))?;
        headers.insert(name, value);
    }
    Ok(request)
}

/// Whether a target can be asked this: its dialect can say it, and the catalogue does not say that its model cannot do
/// it. The error is a 400 that names the member.
pub fn fits(target: &Target, prompt: &Prompt, shape: Shape) -> Result<(), Error> {
    able(target, prompt, shape)?;
    match prompt {
        Prompt::Own(dialect, _) | Prompt::Offered(dialect, ..) if *dialect == target.dialect => Ok(()),
        Prompt::Embeddings(_) if target.dialect == Dialect::OpenAi => Ok(()),
        Prompt::Embeddings(_) => {
            let detail = format!(
                "target {} speaks a dialect in which this platform asks for no embeddings",
                target.name
            );
            Err(Error::invalid(detail).at("model"))
        }
        Prompt::Own(..) | Prompt::Offered(..) | Prompt::Plain(_) => body(target, prompt, shape).map(drop),
    }
}

/// Only a model of which the catalogue says a "no" costs reading the request. What cannot be read is judged elsewhere.
fn able(target: &Target, prompt: &Prompt, shape: Shape) -> Result<(), Error> {
    let Abilities { tools, vision, schema, .. } = target.abilities;
    if ![tools, vision, schema].contains(&Some(false)) {
        return Ok(());
    }
    let (dialect, read) = match prompt {
        Prompt::Own(dialect, members) | Prompt::Offered(dialect, _, members) => {
            (*dialect, dialect.read(members))
        }
        Prompt::Plain(plain) => (Dialect::OpenAi, Dialect::OpenAi.read(&chat(plain, shape))),
        Prompt::Embeddings(_) => return Ok(()),
    };
    let Ok(conversation) = read else { return Ok(()) };
    let wanted = [
        (tools, !conversation.tools.is_empty(), Cannot::Tools),
        (vision, conversation.has_images(), Cannot::Image),
        (schema, matches!(conversation.settings.format, Format::Schema { .. }), Cannot::Schema),
    ];
    match wanted.into_iter().find(|(can, wanted, _)| *can == Some(false) && *wanted) {
        Some((.., cannot)) => Err(cannot.unable(dialect, &target.name)),
        None => Ok(()),
    }
}

fn body(target: &Target, prompt: &Prompt, shape: Shape) -> Result<Members, Error> {
    let (dialect, members) = match prompt {
        Prompt::Own(dialect, members) => (*dialect, members),
        Prompt::Offered(dialect, own, _) if has_own(*dialect, target.dialect) => (*dialect, own),
        Prompt::Offered(dialect, _, offered) => (*dialect, offered),
        Prompt::Plain(plain) => (Dialect::OpenAi, &chat(plain, shape)),
        Prompt::Embeddings(members) => return Ok(members.clone()),
    };
    if dialect == target.dialect {
        return Ok(dialect.pass(members, &target.model, shape));
    }
    let mut conversation = dialect.read(members)?;
    let cannot = |cannot: Cannot| cannot.error(dialect, &target.name);
    if let Some(name) = conversation.foreign.first() {
        return Err(cannot(Cannot::Foreign(name.clone())));
    }
    let written = target.dialect.write(&conversation, &target.model, shape);
    let fixed = matches!(written, Err(Cannot::Temperature));
    if fixed && conversation.settings.temperature == Some(DEFAULT_TEMPERATURE) {
        // The platform's own default gives way where a model has a fixed one; a wish does not.
        conversation.settings.temperature = None;
        return target.dialect.write(&conversation, &target.model, shape).map_err(cannot);
    }
    written.map_err(cannot)
}

/// A question of ours as a chat completion.
pub(super) fn chat(plain: &Plain, shape: Shape) -> Members {
    let mut members = Members::default();
    members.set("model", &"");
    members.set("messages", &plain.messages);
    members.extend(&plain.params);
    if shape == Shape::Stream {
        members.set("stream", &true);
    }
    members
}

fn ours(detail: String) -> Error {
    Error::new(Kind::Internal, detail)
}
