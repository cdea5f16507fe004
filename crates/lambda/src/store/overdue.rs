//! Finding abandoned holds through the sparse index `due`, and keeping the index sparse.
//!
//! The index lags behind the table (by milliseconds as a rule, without any promise), so it only names accounts to
//! look at: each is then read consistently, and a hold that the index does not show yet is found by a later sweep.

use aws_sdk_dynamodb::types::AttributeValue;
use opencode_core::host::{Key, Overdue, StoreError, Time};
use opencode_core::identity::Tenant;

use super::account::{DUE, OPEN, Seen};
use super::item::{Item, MARK, number, text};
use super::{Kind, ONLY};
use crate::handle::Handle;
use crate::sdk::store_error;
use crate::tables::DUE_INDEX;

/// The most holds of one answer.
const MAX_OVERDUE: usize = 100;
/// Index pages that one sweep reads, of up to [`PAGE`] accounts each; the rest waits for the next sweep.
const PAGES: usize = 10;
const PAGE: i32 = 500;

impl Handle {
    pub(super) async fn find_overdue(
        &self,
        tenant: &Tenant,
        now: Time,
        limit: usize,
    ) -> Result<Vec<Overdue>, StoreError> {
        let limit = limit.min(MAX_OVERDUE);
        let mut accounts = self.due_accounts(tenant, now).await?;
        accounts.sort();
        let mut found = Vec::new();
        for account in accounts {
            if found.len() >= limit {
                break;
            }
            let Some(item) = self.read_account(&account).await? else { continue };
            let seen = Seen::read(&item);
            for (id, open) in seen.account.holds.iter().filter(|(_, open)| open.lease < now) {
                found.push(Overdue {
                    id: id.clone(),
                    note: open.note.clone(),
                    account: account.clone(),
                    lease: open.lease,
                    takes: open.took.iter().map(|took| (took.counter.clone(), took.amount)).collect(),
                });
            }
            self.repair(&account, &seen).await?;
        }
        found.truncate(limit);
        Ok(found)
    }

    /// The accounts that the index shows.
    async fn due_accounts(&self, tenant: &Tenant, now: Time) -> Result<Vec<Key>, StoreError> {
        let mut accounts = Vec::new();
        let mut start: Option<Item> = None;
        for _ in 0..PAGES {
            self.round();
            let query = self.aws.dynamodb.query().table_name(&self.aws.table).index_name(DUE_INDEX);
            let query = query
                .key_condition_expression("due_tenant = :tenant AND due < :now")
                .expression_attribute_values(":tenant", text(tenant.as_str()))
                .expression_attribute_values(":now", number(now.0));
            let page = query.limit(PAGE).set_exclusive_start_key(start).send().await;
            let page = page.map_err(|error| store_error("looking for overdue holds", &error))?;
            let items = page.items.unwrap_or_default();
            accounts.extend(items.iter().filter_map(|item| account_key(tenant, item.get("pk")?)));
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(accounts)
    }

    async fn read_account(&self, account: &Key) -> Result<Option<Item>, StoreError> {
        self.round();
        let get = self.aws.dynamodb.get_item().table_name(&self.aws.table).consistent_read(true);
        let pk = super::partition(Kind::Account, account);
        let got = get.key("pk", text(pk)).key("sk", text(ONLY)).send().await;
        Ok(got.map_err(|error| store_error("reading an account", &error))?.item)
    }

    /// Raises `due`, which holds only lower and closes leave alone, to what is true; takes an account without holds
    /// out of the index; deletes one that is as if it had never been. A hold taken meanwhile changes the mark, and
    /// then nothing is done.
    async fn repair(&self, account: &Key, seen: &Seen) -> Result<(), StoreError> {
        let Some(mark) = seen.mark else { return Ok(()) };
        let pk = super::partition(Kind::Account, account);
        if seen.account.is_fresh() {
            self.round();
            let delete = self.aws.dynamodb.delete_item().table_name(&self.aws.table);
            let delete = delete
                .key("pk", text(pk))
                .key("sk", text(ONLY))
                .condition_expression("#m = :m AND #n = :none")
                .expression_attribute_names("#n", OPEN)
                .expression_attribute_values(":none", number(0))
                .expression_attribute_names("#m", MARK)
                .expression_attribute_values(":m", number(mark));
            return match delete.send().await {
                Err(error)
                    if !error
                        .as_service_error()
                        .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
                {
                    Err(store_error("removing an account", &error))
                }
                _ => Ok(()),
            };
        }
        let due = seen.account.due().map(|due| due.0);
        if due == seen.due {
            return Ok(());
        }
        let update = self
            .update(&pk)
            .condition_expression("#m = :m")
            .expression_attribute_names("#m", MARK)
            .expression_attribute_values(":m", number(mark))
            .expression_attribute_names("#d", DUE);
        let update = match due {
            Some(due) => {
                update.update_expression("SET #d = :due").expression_attribute_values(":due", number(due))
            }
            None => update.update_expression("REMOVE #d, due_tenant"),
        };
        self.send(update).await.map(|_| ())
    }
}

/// The account that a partition key names.
fn account_key(tenant: &Tenant, pk: &AttributeValue) -> Option<Key> {
    let name = pk.as_s().ok()?.strip_prefix(tenant.as_str())?.strip_prefix('/')?;
    Some(Key::new(tenant, name.strip_prefix(Kind::Account.word())?.strip_prefix('/')?))
}
