//! The table, as `template.yaml` declares it: made here for tests against DynamoDB Local.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};

use crate::sdk::store_error;

/// The table's keys.
pub const KEYS: [&str; 2] = ["pk", "sk"];
/// The sparse index of accounts by their earliest lease.
pub const DUE_INDEX: &str = "due";
/// The index's keys.
pub const DUE_KEYS: [&str; 2] = ["due_tenant", "due"];

/// Makes the table. An error where it exists already.
pub async fn create(client: &Client, name: &str) -> Result<(), String> {
    let described = |error: BuildError| error.to_string();
    let [pk, sk] = KEYS;
    let [hash, range] = DUE_KEYS;
    let index = GlobalSecondaryIndex::builder()
        .index_name(DUE_INDEX)
        .key_schema(key(hash, KeyType::Hash).map_err(described)?)
        .key_schema(key(range, KeyType::Range).map_err(described)?)
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .map_err(described)?;
    let mut create = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key(pk, KeyType::Hash).map_err(described)?)
        .key_schema(key(sk, KeyType::Range).map_err(described)?)
        .global_secondary_indexes(index);
    for (name, kind) in [
        (pk, ScalarAttributeType::S),
        (sk, ScalarAttributeType::S),
        (hash, ScalarAttributeType::S),
        (range, ScalarAttributeType::N),
    ] {
        let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build();
        create = create.attribute_definitions(attribute.map_err(described)?);
    }
    create.send().await.map(|_| ()).map_err(|error| store_error("making the table", &error).0)
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in the template's key schemas, in order, and its index and TTL.
    #[test]
    fn the_template_declares_the_same_table() {
        let template = include_str!("../../../template.yaml");
        let keys: Vec<&str> = template
            .lines()
            .filter(|line| line.contains("KeyType:"))
            .filter_map(|line| line.split("AttributeName:").nth(1)?.split([',', '}']).next())
            .map(str::trim)
            .collect();
        assert_eq!(keys, [KEYS, DUE_KEYS].concat());
        assert!(template.contains(&format!("IndexName: {DUE_INDEX}\n")));
        assert!(template.contains("AttributeName: ttl\n"));
    }
}
