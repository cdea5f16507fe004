//! The log port: one item an entry, the sort key is the entry's id.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure as OnFailure};
use bytes::Bytes;
use opencode_core::host::{Appended, Entry, Key, Logs, MAX_ENTRY, StoreError, Time};

use super::item::{Item, MARK, TTL, VALUE, binary, get_number, mark, number, take_binary, text, ttl};
use super::{Kind, partition};
use crate::handle::Handle;
use crate::sdk::store_error;

/// The most entries of one scan.
const MAX_SCAN: usize = 500;

impl Logs for Handle {
    async fn append(
        &self,
        log: &Key,
        id: &str,
        value: Bytes,
        expires: Option<Time>,
    ) -> Result<Appended, StoreError> {
        if value.len() > MAX_ENTRY {
            return Err(StoreError(format!("a log entry may have {MAX_ENTRY} bytes, not {}", value.len())));
        }
        self.round();
        let mark = mark();
        let put = self.aws.dynamodb.put_item().table_name(&self.aws.table);
        let put = put.item("pk", text(partition(Kind::Log, log))).item("sk", text(id));
        let mut put = put.item(VALUE, binary(value)).item(MARK, number(mark));
        if let Some(expires) = expires {
            put = put.item(TTL, ttl(expires));
        }
        let put = put.condition_expression("attribute_not_exists(pk)");
        match put.return_values_on_condition_check_failure(OnFailure::AllOld).send().await {
            Ok(_) => Ok(Appended::New),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(found)) => {
                    let ours = found.item().and_then(|item| get_number(item, MARK)) == Some(mark);
                    Ok(if ours { Appended::New } else { Appended::Already })
                }
                _ => Err(store_error("appending to a log", &error)),
            },
        }
    }

    /// One page of one query, so it may stop early at 1 MB.
    async fn scan(&self, log: &Key, after: &str, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let limit = limit.min(MAX_SCAN);
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.round();
        let query = self.aws.dynamodb.query().table_name(&self.aws.table).consistent_read(true);
        let query = query.expression_attribute_values(":pk", text(partition(Kind::Log, log)));
        // An empty string is no sort key, not even to compare with.
        let query = match after {
            "" => query.key_condition_expression("pk = :pk"),
            _ => query
                .key_condition_expression("pk = :pk AND sk > :after")
                .expression_attribute_values(":after", text(after)),
        };
        let page = query.limit(i32::try_from(limit).unwrap_or(i32::MAX)).send().await;
        let page = page.map_err(|error| store_error("scanning a log", &error))?;
        Ok(page.items.unwrap_or_default().into_iter().filter_map(entry).collect())
    }
}

fn entry(mut item: Item) -> Option<Entry> {
    let Some(AttributeValue::S(id)) = item.remove("sk") else { return None };
    Some(Entry { id, value: take_binary(&mut item, VALUE)? })
}
