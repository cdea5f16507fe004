//! The response cache: exact, per tenant, complete answers only.

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::call::Shape;
use crate::host::{Key, MAX_CACHED};
use crate::identity::Tenant;
use crate::route::Target;
use crate::wire::prompt::Prompt;
use crate::wire::sse::Splitter;
use crate::wire::{Dialect, Frame};

/// The key of an answer: the tenant, then a hash over everything that decides it. Change the version when what is
/// stored changes.
pub fn key(tenant: &Tenant, prompt: &Prompt, targets: &[Target], shape: Shape) -> Key {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text.as_bytes());
    };
    part("v2");
    part(if shape == Shape::Stream { "stream" } else { "whole" });
    match prompt {
        Prompt::Own(_, members) | Prompt::Offered(_, members, _) | Prompt::Embeddings(members) => {
            part(match prompt {
                Prompt::Own(Dialect::OpenAi, _) => "chat",
                Prompt::Own(Dialect::Responses, _) => "responses",
                Prompt::Own(Dialect::Anthropic, _) => "anthropic",
                Prompt::Own(Dialect::Gemini, _) => "gemini",
                _ => "embeddings",
            });
            let mut members = members.clone();
            for name in ["model", "stream", "stream_options"] {
                members.unset(name);
            }
            part(&members.text());
        }
        Prompt::Plain(plain) => part(&serde_json::to_string(plain).unwrap_or_default()),
    }
    for target in targets {
        part(&target.name);
        part(&target.base_url);
    }
    let hex = hex(&hash.finalize());
    Key::new(tenant, format!("answer/{hex}"))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Gathers an answer's bytes while it is streamed; gives up when they are too many.
#[derive(Default)]
pub struct Tee {
    bytes: BytesMut,
    full: bool,
}

impl Tee {
    /// Adds frames.
    pub fn add(&mut self, frames: &[Frame]) {
        let more: usize = frames.iter().map(|frame| frame.bytes.len()).sum();
        self.full |= self.bytes.len().saturating_add(more) > MAX_CACHED.saturating_sub(1_024);
        if self.full {
            self.bytes = BytesMut::new();
            return;
        }
        for frame in frames {
            self.bytes.extend_from_slice(&frame.bytes);
        }
    }

    /// What to store, if the answer fitted: the name of the target that answered, a line break, the frames.
    pub fn value(self, target: &str) -> Option<Bytes> {
        if self.full || self.bytes.is_empty() {
            return None;
        }
        let mut value = BytesMut::from(target.as_bytes());
        value.extend_from_slice(b"\n");
        value.extend_from_slice(&self.bytes);
        Some(value.freeze())
    }
}

/// Reads a stored answer: the target that gave it, its dialect, and its frames as they were. `None` where the target is
/// none of those that may answer.
pub fn replay(value: &Bytes, shape: Shape, targets: &[Target]) -> Option<(String, Dialect, Vec<Frame>)> {
    let line = value.iter().position(|byte| *byte == b'\n')?;
    let target = std::str::from_utf8(value.get(..line)?).ok()?.to_owned();
    let dialect = targets.iter().find(|it| it.name == target)?.dialect;
    let body = value.slice(line.saturating_add(1)..);
    let frames = match shape {
        Shape::Whole => vec![Frame { events: dialect.decode_whole(&body), bytes: body }],
        Shape::Stream => {
            let mut decoder = dialect.decoder();
            let mut splitter = Splitter::default();
            let mut frames = splitter.push(&body).ok()?;
            // A last frame that ends in a carriage return.
            frames.extend(splitter.rest());
            frames.into_iter().map(|bytes| decoder.decode(bytes)).collect()
        }
    };
    Some((target, dialect, frames))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Abilities, Prices};
    use crate::wire::json::Members;

    #[test]
    fn whatever_decides_an_answer_is_in_its_key() {
        let target = |model: &str| Target {
            name: format!("p/{model}"),
            provider: "p".to_owned(),
            model: model.to_owned(),
            base_url: "https://p.example/v1".to_owned(),
            dialect: Dialect::OpenAi,
            abilities: Abilities::default(),
            prefill: false,
            context: 0,
            secret: None,
            prices: Prices::flat(0.0, 0.0),
        };
        let of = |tenant: &str, body: &str, targets: &[Target], shape| {
            let tenant = Tenant::try_from(tenant.to_owned()).unwrap();
            key(
                &tenant,
                &Prompt::Own(Dialect::OpenAi, Members::parse(body.as_bytes()).unwrap()),
                targets,
                shape,
            )
            .to_string()
        };
        let (a, b) = ([target("a")], [target("b")]);
        let body = r#"{"model":"x","messages":[]}"#;
        let same = of("acme", body, &a, Shape::Whole);
        assert!(same.starts_with("acme/"));
        assert_eq!(of("acme", r#"{"model":"y","stream":false,"messages":[]}"#, &a, Shape::Whole), same);
        let others = [
            of("globex", body, &a, Shape::Whole),
            of("acme", body, &b, Shape::Whole),
            of("acme", body, &[], Shape::Whole),
            of("acme", body, &a, Shape::Stream),
            of("acme", r#"{"model":"x","messages":[],"temperature":0}"#, &a, Shape::Whole),
            of("acme", r#"{"model":"x","messages":[],"user":"u"}"#, &a, Shape::Whole),
        ];
        for other in others {
            assert_ne!(other, same);
        }
    }

    #[test]
    fn an_answer_that_is_too_large_is_not_kept() {
        let frame = |bytes: usize| Frame { bytes: Bytes::from(vec![b'x'; bytes]), events: Vec::new() };
        let mut tee = Tee::default();
        tee.add(&[frame(MAX_CACHED / 2)]);
        tee.add(&[frame(MAX_CACHED / 2)]);
        tee.add(&[frame(1)]);
        assert_eq!(tee.value("p/a"), None);
        assert_eq!(Tee::default().value("p/a"), None);
    }
}
