//! The key-value pairs at the head of the file.

use std::collections::HashMap;
use std::io::Read;

use super::Source;
use crate::error::Error;

/// More than any model in use has (about 60).
const MAX_PAIRS: u64 = 16_384;

/// Only the shapes that a model of ours reads; every other value is skipped.
enum Value {
    Number(f64),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    Numbers(Vec<f32>),
}

/// Typed access to the pairs.
pub(crate) struct Metadata(HashMap<String, Value>);

impl Metadata {
    pub(super) fn read(source: &mut Source<impl Read>, pairs: u64) -> Result<Self, Error> {
        if pairs > MAX_PAIRS {
            return Err(Error::model(format!("the file claims to hold {pairs} metadata pairs")));
        }
        let mut values = HashMap::new();
        for _ in 0..pairs {
            let key = source.string()?;
            let kind = source.u32()?;
            values.insert(key, value(source, kind)?);
        }
        Ok(Self(values))
    }

    /// A text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn uint(&self, key: &str) -> Option<usize> {
        let number = self.float(key)?;
        (number >= 0.0 && number.fract() == 0.0 && number <= f64::from(u32::MAX)).then_some(number as usize)
    }

    /// A number.
    pub(crate) fn float(&self, key: &str) -> Option<f64> {
        match self.0.get(key)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A switch.
    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        match self.0.get(key)? {
            Value::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// A list of texts, which leaves the metadata: a vocabulary is large and read once.
    pub(crate) fn take_texts(&mut self, key: &str) -> Option<Vec<String>> {
        match self.0.remove(key)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// A list of numbers, which leaves the metadata.
    pub(crate) fn take_numbers(&mut self, key: &str) -> Option<Vec<f32>> {
        match self.0.remove(key)? {
            Value::Numbers(numbers) => Some(numbers),
            _ => None,
        }
    }
}

fn value(source: &mut Source<impl Read>, kind: u32) -> Result<Value, Error> {
    Ok(match kind {
        7 => Value::Bool(source.array::<1>()? != [0]),
        8 => Value::Text(source.string()?),
        9 => array(source)?,
        kind => Value::Number(number(source, kind)?),
    })
}

fn array(source: &mut Source<impl Read>) -> Result<Value, Error> {
    let kind = source.u32()?;
    let count = source.u64()?;
    // A text takes at least its eight bytes of length, any other value at least one.
    if count > source.room(if kind == 8 { 8 } else { 1 }) {
        return Err(Error::model("a list in the metadata is longer than the file"));
    }
    Ok(match kind {
        7 => Value::Numbers(
            (0..count).map(|_| Ok(f32::from(source.array::<1>()?[0]))).collect::<Result<_, Error>>()?,
        ),
        8 => Value::Texts((0..count).map(|_| source.string()).collect::<Result<_, _>>()?),
        kind => Value::Numbers(
            (0..count).map(|_| Ok(number(source, kind)? as f32)).collect::<Result<_, Error>>()?,
        ),
    })
}

/// The numeric types by their ids in the specification.
fn number(source: &mut Source<impl Read>, kind: u32) -> Result<f64, Error> {
    Ok(match kind {
        0 => f64::from(u8::from_le_bytes(source.array()?)),
        1 => f64::from(i8::from_le_bytes(source.array()?)),
        2 => f64::from(u16::from_le_bytes(source.array()?)),
        3 => f64::from(i16::from_le_bytes(source.array()?)),
        4 => f64::from(u32::from_le_bytes(source.array()?)),
        5 => f64::from(i32::from_le_bytes(source.array()?)),
        6 => f64::from(f32::from_le_bytes(source.array()?)),
        10 => u64::from_le_bytes(source.array()?) as f64,
        11 => i64::from_le_bytes(source.array()?) as f64,
        12 => f64::from_le_bytes(source.array()?),
        _ => return Err(Error::model(format!("a metadata value has the unknown type {kind}"))),
    })
}
