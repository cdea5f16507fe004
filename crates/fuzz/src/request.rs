//! What a caller sends, in each dialect, to targets of each dialect.

use opencode_core::call::Shape;
use opencode_core::catalog::{Abilities, Prices};
use opencode_core::error::Fault;
use opencode_core::route::Target;
use opencode_core::wire::Dialect;
use opencode_core::wire::conversation::{Conversation, Part};
use opencode_core::wire::json::Members;
use opencode_core::wire::prompt::Prompt;
use opencode_core::wire::request::request;

use super::DIALECTS;

/// A body is refused as the caller's mistake, or becomes a request that its target's dialect reads.
pub fn requests(data: &[u8]) {
    let Ok(members) = Members::parse(data) else { return };
    for caller in DIALECTS {
        if let Err(error) = caller.read(&members) {
            assert_eq!(error.fault(), Fault::Caller, "{error:?}");
            assert!(!error.detail.is_empty());
        }
        for target in targets() {
            let prompt = Prompt::Own(caller, members.clone());
            for shape in [Shape::Stream, Shape::Whole] {
                match request(&target, &prompt, shape, Some("key")) {
                    Err(error) => assert_eq!(error.fault(), Fault::Caller, "{error:?}"),
                    Ok(request) => check(caller, &target, &members, request.body()),
                }
            }
        }
    }
}

fn check(caller: Dialect, target: &Target, members: &Members, body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    let sent = Members::parse(body).unwrap_or_else(|error| panic!("{error}: {text}"));
    if caller == target.dialect {
        let kept = |name: &&str| !matches!(*name, "model" | "stream" | "stream_options");
        let lost: Vec<&str> = members.names().filter(kept).filter(|name| sent.get(name).is_none()).collect();
        assert!(lost.is_empty(), "{caller:?} lost {lost:?}: {text}");
        return;
    }
    let read = target.dialect.read(&sent);
    let read = read.unwrap_or_else(|error| panic!("{caller:?} to {:?}: {error:?}\n{text}", target.dialect));
    let heard = texts(&read).concat();
    for said in texts(&caller.read(members).expect("what was written was read")) {
        assert!(heard.contains(said), "{caller:?} to {:?} lost {said:?}\n{text}", target.dialect);
    }
}

fn texts(conversation: &Conversation) -> Vec<&str> {
    let parts = conversation.messages.iter().flat_map(|message| &message.parts);
    let texts = parts.filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn targets() -> impl Iterator<Item = Target> {
    let models = [
        (Dialect::OpenAi, "gpt-4.1"),
        (Dialect::Responses, "gpt-5.1"),
        (Dialect::Anthropic, "claude-haiku-4-5"),
        (Dialect::Anthropic, "claude-opus-4-8"),
        (Dialect::Gemini, "gemini-3-pro"),
    ];
    models.into_iter().map(|(dialect, model)| Target {
        name: format!("provider/{model}"),
        provider: "provider".to_owned(),
        model: model.to_owned(),
        base_url: "https://provider.example/v1".to_owned(),
        dialect,
        abilities: Abilities::default(),
        prefill: false,
        context: 0,
        secret: None,
        prices: Prices::flat(0.0, 0.0),
    })
}
