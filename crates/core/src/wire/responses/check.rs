//! What every request is asked first, whether it is translated or passed on.

use serde::Deserialize;

use crate::error::Error;
use crate::wire::json::Members;

/// Refuses what only a store of answers could do, and says what to send instead.
pub fn check(members: &Members) -> Result<(), Error> {
    let present = |name: &str| members.get(name).is_some_and(|value| value.get() != "null");
    let stored = [
        (
            "previous_response_id",
            "send the whole conversation in `input`, the output items of earlier answers included",
        ),
        ("conversation", "send the whole conversation in `input`"),
        ("prompt", "send the prompt's text in `instructions` and `input`"),
    ];
    for (name, instead) in stored {
        if present(name) {
            return Err(Error::invalid(format!(
                "`{name}` needs stored answers, and nothing is stored here: {instead}"
            ))
            .at(name));
        }
    }
    if flag(members, "background")?.unwrap_or(false) {
        let detail = "`background` answers would have to be stored, and nothing is stored here: leave it out and \
                      stream the answer, or queue a task";
        return Err(Error::invalid(detail).at("background"));
    }
    check_references(members)
}

/// Whether the caller wants its answer kept, which it is not: `store` is `true` where it is left out.
pub fn wants_store(members: &Members) -> bool {
    !matches!(members.read::<bool>("store"), Ok(Some(false)))
}

fn flag(members: &Members, name: &str) -> Result<Option<bool>, Error> {
    members.read(name).map_err(|_| Error::invalid(format!("`{name}` must be true or false")).at(name))
}

/// An item that only names another one. Its `type` may be left out when it has nothing but an id.
fn check_references(members: &Members) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Item {
        #[serde(default, rename = "type")]
        kind: Option<String>,
    }
    if !members.get("input").is_some_and(|input| input.get().contains("item_reference")) {
        return Ok(());
    }
    let items = members.read::<Vec<Item>>("input").ok().flatten().unwrap_or_default();
    match items.iter().position(|item| item.kind.as_deref() == Some("item_reference")) {
        None => Ok(()),
        Some(index) => {
            let field = format!("input[{index}]");
            let detail = format!(
                "`{field}` refers to a stored item, and nothing is stored here: send the item itself (clients do with `store: false`)"
            );
            Err(Error::invalid(detail).at(&field))
        }
    }
}
