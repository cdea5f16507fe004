//! A TOML table whose members are taken by name: each taker says what type it wants, and what nobody took is unknown.
//!
//! The first thing that is wrong is kept until the end, so that a misspelt name is told before the one that it should
//! have been is missed.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use crate::wire::json;

/// A table that is being read.
pub(super) struct Table<'a> {
    /// The whole configuration, for lines.
    text: &'a str,
    span: Range<usize>,
    members: &'a DeTable<'a>,
    taken: Vec<&'static str>,
    wrong: Option<Problem>,
}

/// How a table becomes a `T`.
pub(super) type Read<T> = fn(Table<'_>) -> Result<T, Problem>;

/// Reads a whole text.
pub(super) fn read<T>(text: &str, read: Read<T>) -> Result<T, Problem> {
    let root = DeTable::parse(text).map_err(|error| Problem::of_parser(text, &error))?;
    read(Table::new(text, root.span(), root.get_ref()))
}

impl<'a> Table<'a> {
    /// What was read, unless something was wrong: unknown names first.
    pub(super) fn end<T>(self, read: T) -> Result<T, Problem> {
        let taken = |key: &str| self.taken.contains(&key);
        match self.members.keys().find(|key| !taken(key.get_ref())) {
            Some(key) => Err(Problem::unknown(self.text, &key.span(), key.get_ref(), &self.taken)),
            None => self.wrong.map_or(Ok(read), Err),
        }
    }

    /// A whole number from 0 that the type holds.
    pub(super) fn whole<T: TryFrom<u64>>(&mut self, name: &'static str) -> Option<T> {
        self.take(name, "a whole number, 0 or more", |value| T::try_from(whole(value)?).ok())
    }

    /// Any number.
    pub(super) fn number(&mut self, name: &'static str) -> Option<f64> {
        self.take(name, "a number", |value| match value {
            DeValue::Float(float) => json::number(float.as_str().trim_start_matches('+')),
            DeValue::Integer(whole) => {
                i64::from_str_radix(whole.as_str(), whole.radix()).ok().map(|whole| whole as f64)
            }
            _ => None,
        })
    }

    pub(super) fn truth(&mut self, name: &'static str) -> Option<bool> {
        self.take(name, "true or false", DeValue::as_bool)
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.take(name, "a text in quotes", text)
    }

    /// A text that must be there; empty where it is not, which [`Self::end`] then tells.
    pub(super) fn needed(&mut self, name: &'static str) -> String {
        let text = self.text(name);
        if text.is_none() {
            self.wrong(&self.span.clone(), format!("`{name}` is missing"));
        }
        text.unwrap_or_default()
    }

    /// A text that must be there and becomes something else. The error says what is wrong with it.
    pub(super) fn made<T>(&mut self, name: &'static str, make: fn(String) -> Result<T, String>) -> Option<T> {
        match make(self.needed(name)) {
            Ok(made) => Some(made),
            Err(what) => {
                let span = self.members.get(name).map_or(self.span.clone(), Spanned::span);
                self.wrong(&span, what);
                None
            }
        }
    }

    /// One of these names.
    pub(super) fn one_of<T: Copy>(&mut self, name: &'static str, among: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = among.iter().map(|(name, _)| *name).collect();
        let kind = format!("one of {}", names.join(", "));
        self.take(name, &kind, |value| {
            among.iter().find(|(name, _)| value.as_str() == Some(name)).map(|(_, it)| *it)
        })
    }

    /// None where it is left out.
    pub(super) fn texts(&mut self, name: &'static str) -> Vec<String> {
        let items = self.list(name);
        if let Some(item) = items.iter().find(|item| text(item.get_ref()).is_none()) {
            self.wrong(&item.span(), format!("`{name}` must be a text in quotes"));
        }
        items.iter().filter_map(|item| text(item.get_ref())).collect()
    }

    /// A table of its own; with all its defaults where it is left out.
    pub(super) fn table<T: Default>(&mut self, name: &'static str, read: Read<T>) -> T {
        let Some(value) = self.find(name) else { return T::default() };
        self.inner(name, value, read).unwrap_or_default()
    }

    /// A list of tables.
    pub(super) fn rows<T>(&mut self, name: &'static str, read: Read<T>) -> Vec<T> {
        self.list(name).iter().map_while(|row| self.inner(name, row, read)).collect()
    }

    fn new(text: &'a str, span: Range<usize>, members: &'a DeTable<'a>) -> Self {
        Self { text, span, members, taken: Vec::new(), wrong: None }
    }

    fn inner<T>(&mut self, name: &str, value: &'a Spanned<DeValue<'a>>, read: Read<T>) -> Option<T> {
        let Some(members) = value.get_ref().as_table() else {
            self.wrong(&value.span(), format!("`{name}` must be a table"));
            return None;
        };
        match read(Table::new(self.text, value.span(), members)) {
            Ok(read) => Some(read),
            Err(problem) => {
                self.wrong.get_or_insert(problem);
                None
            }
        }
    }

    fn list(&mut self, name: &'static str) -> &'a [Spanned<DeValue<'a>>] {
        let Some(value) = self.find(name) else { return &[] };
        match value.get_ref() {
            DeValue::Array(items) => items,
            _ => {
                self.wrong(&value.span(), format!("`{name}` must be a list"));
                &[]
            }
        }
    }

    fn take<T>(
        &mut self,
        name: &'static str,
        kind: &str,
        read: impl FnOnce(&DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        let value = self.find(name)?;
        let read = read(value.get_ref());
        if read.is_none() {
            self.wrong(&value.span(), format!("`{name}` must be {kind}"));
        }
        read
    }

    fn find(&mut self, name: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.taken.push(name);
        self.members.get(name)
    }

    fn wrong(&mut self, span: &Range<usize>, what: String) {
        if self.wrong.is_none() {
            self.wrong = Some(Problem::on(self.text, span, what));
        }
    }
}

fn text(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}
