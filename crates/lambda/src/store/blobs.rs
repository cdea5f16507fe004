//! The blob port: a manifest, and parts where the value does not fit into it.
//!
//! Parts are written under a generation of their own before the manifest names it, so a reader sees one whole value
//! or another. It may find a part gone when the value was replaced meanwhile; then it reads the manifest again.

use aws_sdk_dynamodb::types::ReturnValue;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use opencode_core::host::{Blobs, Key, MAX_BLOB, StoreError, Time};

use super::item::{
    EXPIRES, Item, TTL, VALUE, binary, get_number, is_live, mark, number, take_binary, text, ttl,
};
use super::{Kind, ONLY, partition};
use crate::handle::Handle;
use crate::sdk::store_error;

/// The bytes of one part, well under an item's 400 KB.
const PART: usize = 300 * 1024;
/// Parts that are read or written at once.
const AT_ONCE: usize = 8;
/// Manifests that a reader tries while the value keeps being replaced.
const TRIES: usize = 4;
/// The parts' generation and their number, in the manifest.
const GENERATION: &str = "g";
const PARTS: &str = "k";

impl Blobs for Handle {
    async fn put(&self, key: &Key, value: Bytes, expires: Time) -> Result<(), StoreError> {
        if value.len() > MAX_BLOB {
            return Err(StoreError(format!("a blob may have {MAX_BLOB} bytes, not {}", value.len())));
        }
        let pk = partition(Kind::Blob, key);
        let generation = mark();
        let manifest = if value.len() <= PART {
            Item::from([(VALUE.to_owned(), binary(value))])
        } else {
            let parts = self.put_parts(&pk, generation, value, expires).await?;
            Item::from([(GENERATION.to_owned(), number(generation)), (PARTS.to_owned(), number(parts))])
        };
        self.round();
        let put = self.aws.dynamodb.put_item().table_name(&self.aws.table).set_item(Some(manifest));
        let put = put.item("pk", text(pk.as_str())).item("sk", text(ONLY));
        let put = put.item(EXPIRES, number(expires.0)).item(TTL, ttl(expires));
        let old = put.return_values(ReturnValue::AllOld).send().await;
        let old = old.map_err(|error| store_error("storing a blob", &error))?;
        // A request that the client sent twice meets its own manifest: those parts are the ones to keep.
        let ours = |item: &Item| item.get(GENERATION) == Some(&number(generation));
        self.drop_parts(&pk, old.attributes.filter(|item| !ours(item))).await;
        Ok(())
    }

    async fn get(&self, key: &Key, now: Time) -> Result<Option<Bytes>, StoreError> {
        let pk = partition(Kind::Blob, key);
        for _ in 0..TRIES {
            let Some(mut manifest) = self.get_part(&pk, ONLY.to_owned()).await? else { return Ok(None) };
            if !is_live(&manifest, now) {
                return Ok(None);
            }
            if let Some(value) = take_binary(&mut manifest, VALUE) {
                return Ok(Some(value));
            }
            if let Some(value) = self.get_parts(&pk, &manifest).await? {
                return Ok(Some(value));
            }
        }
        Err(StoreError("reading a blob: it was replaced again and again".to_owned()))
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let pk = partition(Kind::Blob, key);
        self.round();
        let delete = self.aws.dynamodb.delete_item().table_name(&self.aws.table);
        let delete = delete.key("pk", text(pk.as_str())).key("sk", text(ONLY));
        let old = delete.return_values(ReturnValue::AllOld).send().await;
        let old = old.map_err(|error| store_error("removing a blob", &error))?;
        self.drop_parts(&pk, old.attributes).await;
        Ok(())
    }
}

impl Handle {
    async fn put_parts(
        &self,
        pk: &str,
        generation: u64,
        value: Bytes,
        expires: Time,
    ) -> Result<usize, StoreError> {
        let parts = value.len().div_ceil(PART);
        let put = async |index: usize| {
            let start = index.saturating_mul(PART);
            let part = value.slice(start..value.len().min(start.saturating_add(PART)));
            self.round();
            let put = self.aws.dynamodb.put_item().table_name(&self.aws.table);
            let put = put.item("pk", text(pk)).item("sk", text(part_key(generation, index)));
            let put = put.item(VALUE, binary(part)).item(TTL, ttl(expires));
            put.send().await.map(|_| ()).map_err(|error| store_error("storing a blob's part", &error))
        };
        stream::iter((0..parts).map(put)).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(parts)
    }

    async fn get_part(&self, pk: &str, sk: String) -> Result<Option<Item>, StoreError> {
        self.round();
        let get = self.aws.dynamodb.get_item().table_name(&self.aws.table).consistent_read(true);
        let got = get.key("pk", text(pk)).key("sk", text(sk)).send().await;
        Ok(got.map_err(|error| store_error("reading a blob", &error))?.item)
    }

    /// `None` when a part is gone.
    async fn get_parts(&self, pk: &str, manifest: &Item) -> Result<Option<Bytes>, StoreError> {
        let (Some(generation), Some(count)) = generation(manifest) else { return Ok(None) };
        let parts = (0..count).map(|index| self.get_part(pk, part_key(generation, index)));
        let mut parts = stream::iter(parts).buffered(AT_ONCE);
        let mut value = BytesMut::new();
        while let Some(part) = parts.try_next().await? {
            let Some(bytes) = part.and_then(|mut item| take_binary(&mut item, VALUE)) else {
                return Ok(None);
            };
            value.extend_from_slice(&bytes);
        }
        Ok(Some(value.freeze()))
    }

    /// Deletes what no manifest names any more. What is left behind by a failure goes by its TTL.
    async fn drop_parts(&self, pk: &str, manifest: Option<Item>) {
        let Some((Some(generation), Some(count))) = manifest.as_ref().map(generation) else { return };
        let drop = async |index: usize| {
            self.round();
            let delete = self.aws.dynamodb.delete_item().table_name(&self.aws.table);
            let delete = delete.key("pk", text(pk)).key("sk", text(part_key(generation, index)));
            if let Err(error) = delete.send().await {
                tracing::warn!("{}", store_error("removing a blob's part", &error));
            }
        };
        stream::iter((0..count).map(drop)).buffer_unordered(AT_ONCE).collect::<()>().await;
    }
}

fn generation(manifest: &Item) -> (Option<u64>, Option<usize>) {
    (get_number(manifest, GENERATION), get_number(manifest, PARTS))
}

fn part_key(generation: u64, index: usize) -> String {
    format!("{generation:016x}/{index:03}")
}
