//! Reading and writing the attributes of an item.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use opencode_core::host::Time;

use crate::handle;

/// The value's bytes.
pub(crate) const VALUE: &str = "v";
/// When it stops to count, in milliseconds. This decides; `ttl` is garbage collection, days late.
pub(crate) const EXPIRES: &str = "e";
/// The table's time-to-live attribute, in seconds.
pub(crate) const TTL: &str = "ttl";
/// The mark of the write that made the item.
pub(crate) const MARK: &str = "m";

/// An item's attributes by name.
pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn binary(value: Bytes) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

/// The TTL attribute for an expiry: never before it.
pub(crate) fn ttl(expires: Time) -> AttributeValue {
    number(expires.0.div_ceil(1_000))
}

pub(crate) fn get_number<T: FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// Takes the bytes out of an item.
pub(crate) fn take_binary(item: &mut Item, name: &str) -> Option<Bytes> {
    match item.remove(name)? {
        AttributeValue::B(blob) => Some(blob.into_inner().into()),
        _ => None,
    }
}

/// Whether the item still counts at `now`.
pub(crate) fn is_live(item: &Item, now: Time) -> bool {
    get_number(item, EXPIRES).is_none_or(|expires: u64| expires > now.0)
}

/// A random mark for a write.
pub(crate) fn mark() -> u64 {
    u64::try_from(handle::random() >> 64).unwrap_or_default()
}
