//! The cache port: one item a value, eventually consistent, failures are misses.

use bytes::Bytes;
use opencode_core::host::{Cache, Key, MAX_CACHED, Time};

use super::item::{EXPIRES, TTL, VALUE, binary, is_live, number, take_binary, text, ttl};
use super::{Kind, ONLY, partition};
use crate::handle::Handle;
use crate::sdk::store_error;

impl Cache for Handle {
    async fn cached(&self, key: &Key, now: Time) -> Option<Bytes> {
        self.round();
        let get = self.aws.dynamodb.get_item().table_name(&self.aws.table);
        let got = get.key("pk", text(partition(Kind::Cache, key))).key("sk", text(ONLY)).send().await;
        match got {
            Ok(got) => {
                got.item.filter(|item| is_live(item, now)).and_then(|mut item| take_binary(&mut item, VALUE))
            }
            Err(error) => {
                tracing::warn!("{}", store_error("reading the cache", &error));
                None
            }
        }
    }

    async fn cache(&self, key: &Key, value: Bytes, expires: Time) {
        if value.len() > MAX_CACHED {
            tracing::warn!("a value of {} bytes is too large for the cache", value.len());
            return;
        }
        self.round();
        let put = self.aws.dynamodb.put_item().table_name(&self.aws.table);
        let put = put.item("pk", text(partition(Kind::Cache, key))).item("sk", text(ONLY));
        let put = put.item(VALUE, binary(value)).item(EXPIRES, number(expires.0)).item(TTL, ttl(expires));
        if let Err(error) = put.send().await {
            tracing::warn!("{}", store_error("writing the cache", &error));
        }
    }
}
