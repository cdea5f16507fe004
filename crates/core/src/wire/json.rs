//! A JSON object whose members keep their order and their text: what pass-through needs. And the bounds of all JSON
//! that comes from outside.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// How deep JSON may be nested: as deep as serde_json reads it.
pub const MAX_DEPTH: usize = 127;

/// How many values JSON may hold, counted by its commas and colons. Room for the most tokens that OpenAI takes in one
/// request for embeddings (300,000), and few enough that they fit into an isolate's memory when they are read.
pub const MAX_VALUES: usize = 512 * 1024;

/// Why a text goes past the bounds; `None` where it does not, whether it is JSON or not. Nothing is built of it.
pub fn excess(text: &[u8]) -> Option<String> {
    // Most texts cannot go past them, however they are read, and are not walked byte by byte.
    let opening = text.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
    if opening <= MAX_DEPTH && text.len() <= MAX_VALUES {
        return None;
    }
    let (mut depth, mut values, mut quoted, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' | b':' => values = values.saturating_add(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        if values > MAX_VALUES {
            return Some(format!("it holds more than {MAX_VALUES} values"));
        }
    }
    None
}

/// An object's members as they were written. Nothing but whitespace between them is lost.
///
/// Two are equal that have the same members in the same order, written in the same way.
#[derive(Clone, Debug, Default)]
pub struct Members(Vec<(String, Box<RawValue>)>);

/// A text as a type. Texts are read as bytes are: each of serde_json's readers compiles every type anew, and the Worker
/// has no room for two.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    serde_json::from_slice(text.as_bytes())
}

/// A value of our own from its text; null where that is no JSON. Built member by member it takes several times as much of
/// the Worker.
pub fn fixed(text: &str) -> Value {
    parse(text).unwrap_or_default()
}

/// An object of these members, each inserted: collecting them sorts them first, and every type that is sorted brings its
/// own 4 KB of sorting.
pub fn object(members: impl IntoIterator<Item = (String, Value)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in members {
        object.insert(name, value);
    }
    object
}

/// A number as JSON writes it. `str::parse` would bring its own table of powers, which is a fiftieth of the Worker.
pub fn number(text: &str) -> Option<f64> {
    parse(text).ok()
}

impl Members {
    /// Reads an object within [`MAX_DEPTH`] and [`MAX_VALUES`]. The error is serde_json's, with line and column, or names
    /// the bound.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        match excess(bytes) {
            Some(why) => Err(serde_json::Error::custom(why)),
            None => serde_json::from_slice(bytes),
        }
    }

    /// The text of a member; the last, where it stands twice, as in every JSON reader.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// A member as a type: `None` when it is missing or null, an error when it is something else.
    pub fn read<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.get(name).map_or(Ok(None), |value| parse::<Option<T>>(value.get()))
    }

    /// The members and their texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.get()))
    }

    /// The members' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Replaces a member in its place, or adds it at the end.
    pub fn set(&mut self, name: &str, value: &impl Serialize) {
        let Ok(value) = serde_json::value::to_raw_value(value) else { return };
        let mut first = true;
        self.0.retain(|(key, _)| key != name || std::mem::take(&mut first));
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some(member) => member.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Replaces a member in its place, or adds it at the end, as this text; one that is no JSON changes nothing.
    pub fn set_text(&mut self, name: &str, text: &str) {
        if let Ok(value) = parse::<&RawValue>(text) {
            self.set(name, &value);
        }
    }

    /// Adds a member at the end, unless there is one of this name.
    pub fn add(&mut self, name: &str, value: &impl Serialize) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    /// Removes a member.
    pub fn unset(&mut self, name: &str) {
        self.0.retain(|(key, _)| key != name);
    }

    /// Adds another object's members at the end, or in the places of those of the same name.
    pub fn extend(&mut self, other: &Self) {
        for (name, value) in &other.0 {
            self.set(name, value);
        }
    }

    /// The members of these names only.
    pub fn only(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect())
    }

    /// About how many bytes [`Self::text`] has; never fewer.
    pub fn size(&self) -> usize {
        let members = self.0.iter().map(|(name, value)| name.len().saturating_add(value.get().len()));
        members.fold(2, |sum, bytes| sum.saturating_add(bytes).saturating_add(4))
    }

    /// The object's text.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl PartialEq for Members {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_members_change() {
        let mut members =
            Members::parse(br#"{ "z": 1.50, "model":"a", "x": {"b" : [1,  2]}, "model":"b" }"#).unwrap();
        assert_eq!(members.read::<String>("model").unwrap().as_deref(), Some("b"));
        members.set("model", &"c");
        members.set("new", &true);
        members.unset("absent");
        assert_eq!(members.text(), r#"{"z":1.50,"model":"c","x":{"b" : [1,  2]},"new":true}"#);
        assert!(members.size() >= members.text().len());
        assert_eq!(members.only(&["new", "z"]).text(), r#"{"z":1.50,"new":true}"#);
        members.extend(&Members::parse(br#"{"z":2,"y":3}"#).unwrap());
        assert_eq!(members.text(), r#"{"z":2,"model":"c","x":{"b" : [1,  2]},"new":true,"y":3}"#);
        assert!(Members::parse(b"[1]").is_err());
    }

    #[test]
    fn what_goes_past_the_bounds_is_refused() {
        let deep = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels - 1), "]".repeat(levels - 1));
        let wide = |values: usize| format!(r#"{{"a":[0{}]}}"#, ",0".repeat(values - 1));
        let refused = |text: String| Members::parse(text.as_bytes()).err().map(|error| error.to_string());
        assert_eq!(refused(deep(MAX_DEPTH)), None);
        assert_eq!(refused(wide(MAX_VALUES)), None);
        assert_eq!(
            refused(format!(r#"{{"a":"{}\"{}"}}"#, "[".repeat(999), ",".repeat(MAX_VALUES + 9))),
            None
        );
        assert!(serde_json::from_str::<Value>(&deep(MAX_DEPTH)).is_ok());
        assert!(refused(deep(MAX_DEPTH + 1)).is_some_and(|why| why.contains("127 levels")));
        assert!(refused(deep(10_000)).is_some_and(|why| why.contains("127 levels")));
        assert!(refused(wide(MAX_VALUES + 1)).is_some_and(|why| why.contains("524288 values")));
    }
}
