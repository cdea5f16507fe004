//! A caller's own request for a target of the same dialect.

use serde_json::value::RawValue;

use crate::call::Shape;
use crate::wire::Dialect;
use crate::wire::json::Members;
use crate::wire::seal;

/// The caller's request with the target's model and `store: false`; order and unknown members are kept. Usage is always
/// reported.
///
/// Reasoning items are changed where the provider would refuse the whole request otherwise: a seal that this platform
/// wrapped is taken out of its wrapping, and an item that only a store, or another dialect's provider, could read is
/// left out.
pub fn pass(members: &Members, model: &str, shape: Shape) -> Members {
    let mut passed = members.clone();
    passed.set("model", &model);
    passed.set("store", &false);
    let streams = matches!(members.read::<bool>("stream"), Ok(Some(true)));
    if streams != (shape == Shape::Stream) {
        passed.set("stream", &(shape == Shape::Stream));
    }
    if let Some(input) = mended(members) {
        passed.set("input", &input);
    }
    passed
}

/// The input, when an item of it must change.
fn mended(members: &Members) -> Option<Vec<Box<RawValue>>> {
    if !members.get("input")?.get().contains("\"reasoning\"") {
        return None;
    }
    let items = members.read::<Vec<Box<RawValue>>>("input").ok()??;
    let mut changed = false;
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        match mend(&item) {
            Mended::Same => kept.push(item),
            Mended::Gone => changed = true,
            Mended::New(item) => {
                changed = true;
                kept.push(item);
            }
        }
    }
    changed.then_some(kept)
}

enum Mended {
    Same,
    Gone,
    New(Box<RawValue>),
}

fn mend(item: &RawValue) -> Mended {
    let Ok(mut item) = Members::parse(item.get().as_bytes()) else { return Mended::Same };
    let text = |item: &Members, name: &str| item.read::<String>(name).ok().flatten();
    if text(&item, "type").as_deref() != Some("reasoning") {
        return Mended::Same;
    }
    let Some(encrypted) = text(&item, "encrypted_content") else { return Mended::Gone };
    let Some(seal) = seal::unwrap(&encrypted) else { return Mended::Same };
    if seal.dialect != Dialect::Responses {
        return Mended::Gone;
    }
    item.set("encrypted_content", &seal.value);
    if let Some(id) = seal.item {
        item.set("id", &id);
    }
    serde_json::value::to_raw_value(&item).map_or(Mended::Gone, Mended::New)
}
