//! The record port: one item a record, swapped by one conditional put.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure as OnFailure;
use bytes::Bytes;
use opencode_core::host::{Key, MAX_RECORD, Records, StoreError, Swap, Time, Versioned};

use super::item::{
    EXPIRES, Item, MARK, TTL, VALUE, binary, get_number, is_live, mark, number, take_binary, text, ttl,
};
use super::{Kind, ONLY, partition};
use crate::handle::Handle;
use crate::sdk::store_error;

/// The record's version.
const VERSION: &str = "n";

impl Records for Handle {
    async fn read(&self, key: &Key, now: Time) -> Result<Option<Versioned>, StoreError> {
        self.round();
        let get = self.aws.dynamodb.get_item().table_name(&self.aws.table).consistent_read(true);
        let got = get.key("pk", text(partition(Kind::Record, key))).key("sk", text(ONLY)).send().await;
        let got = got.map_err(|error| store_error("reading a record", &error))?;
        Ok(got.item.and_then(|item| versioned(item, now)))
    }

    async fn swap(
        &self,
        key: &Key,
        seen: u64,
        value: Bytes,
        expires: Option<Time>,
        now: Time,
    ) -> Result<Swap, StoreError> {
        if value.len() > MAX_RECORD {
            return Err(StoreError(format!("a record may have {MAX_RECORD} bytes, not {}", value.len())));
        }
        self.round();
        let version = seen.saturating_add(1);
        let mark = mark();
        let put = self.aws.dynamodb.put_item().table_name(&self.aws.table);
        let put = put.item("pk", text(partition(Kind::Record, key))).item("sk", text(ONLY));
        let mut put = put.item(VALUE, binary(value)).item(VERSION, number(version)).item(MARK, number(mark));
        if let Some(expires) = expires {
            put = put.item(EXPIRES, number(expires.0)).item(TTL, ttl(expires));
        }
        let put = match seen {
            0 => put.condition_expression("attribute_not_exists(pk) OR #e <= :now"),
            _ => put
                .condition_expression("#n = :seen AND (attribute_not_exists(#e) OR #e > :now)")
                .expression_attribute_names("#n", VERSION)
                .expression_attribute_values(":seen", number(seen)),
        };
        let put =
            put.expression_attribute_names("#e", EXPIRES).expression_attribute_values(":now", number(now.0));
        match put.return_values_on_condition_check_failure(OnFailure::AllOld).send().await {
            Ok(_) => Ok(Swap::Done(version)),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(lost)) => {
                    let item = lost.item().cloned().unwrap_or_default();
                    if get_number(&item, MARK) == Some(mark) {
                        return Ok(Swap::Done(version));
                    }
                    Ok(Swap::Lost(versioned(item, now)))
                }
                _ => Err(store_error("swapping a record", &error)),
            },
        }
    }
}

fn versioned(mut item: Item, now: Time) -> Option<Versioned> {
    if !is_live(&item, now) {
        return None;
    }
    let version = get_number(&item, VERSION)?;
    Some(Versioned { version, value: take_binary(&mut item, VALUE)? })
}
