//! Objects of a caller's request: members under either spelling that the API takes, and errors that say where.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::wire::json::{Members, parse};

/// An object and where it stands in the request, for example `contents[0].parts[1]`; empty for the request itself.
pub(super) struct Object {
    members: Members,
    path: String,
}

impl Object {
    pub(super) fn request(members: &Members) -> Self {
        Self { members: members.clone(), path: String::new() }
    }

    pub(super) fn parse(raw: &RawValue, path: String) -> Result<Self, Error> {
        match Members::parse(raw.get().as_bytes()) {
            Ok(members) => Ok(Self { members, path }),
            Err(_) => Err(Error::invalid(format!("`{path}` must be an object")).at(&path)),
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Where a member of this object stands.
    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A member by its camelCase name; `None` where it is missing or null.
    pub(super) fn raw(&self, name: &str) -> Option<&RawValue> {
        let found = self.members.get(name).or_else(|| self.members.get(&snake(name)));
        found.filter(|value| value.get() != "null")
    }

    /// A member as a type. `kind` says in the error what it must be: `a string`.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str, kind: &str) -> Result<Option<T>, Error> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match parse(raw.get()) {
            Ok(value) => Ok(Some(value)),
            Err(_) => {
                let path = self.at(name);
                Err(Error::invalid(format!("`{path}` must be {kind}")).at(&path))
            }
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Error> {
        self.read(name, "a string")
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, Error> {
        self.raw(name).map(|raw| Self::parse(raw, self.at(name))).transpose()
    }

    /// An array's objects; none where the member is missing.
    pub(super) fn list(&self, name: &str) -> Result<Vec<Self>, Error> {
        let items = self.read::<Vec<Box<RawValue>>>(name, "an array of objects")?.unwrap_or_default();
        let path = self.at(name);
        let items = items.iter().enumerate();
        items.map(|(index, raw)| Self::parse(raw, format!("{path}[{index}]"))).collect()
    }

    /// The members that say something and have none of these camelCase names, as paths in the caller's spelling.
    pub(super) fn others(&self, known: &[&str]) -> Vec<String> {
        let names = self.members.names().filter(|name| {
            let said = self.members.get(name).is_some_and(|value| !is_blank(value.get()));
            said && !known.iter().any(|known| name == known || **name == snake(known))
        });
        names.map(|name| self.at(name)).collect()
    }
}

/// A refusal of one place in the request.
pub(super) fn wrong(path: &str, detail: impl std::fmt::Display) -> Error {
    Error::invalid(format!("`{path}` {detail}")).at(path)
}

/// Client libraries send null and empty members for what was not set; `{}` is how a built-in tool is asked for.
fn is_blank(text: &str) -> bool {
    matches!(text, "null" | "[]" | "\"\"" | "false")
}

/// `inlineData` as `inline_data`: protocol buffers' own names, which the API takes as well.
pub(super) fn snake(camel: &str) -> String {
    let mut text = String::with_capacity(camel.len().saturating_add(4));
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
