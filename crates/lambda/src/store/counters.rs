//! The counter port: a hold is one conditional update of one item, a close another.
//!
//! The update assumes what is nearly always so (each counter's window stands). When its condition fails DynamoDB
//! returns the item, `ledger::counters` says what should happen, and the update is made again to fit what was seen.
//! Updates that assume the same windows do not disturb each other: they subtract.

use std::sync::PoisonError;
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure as OnFailure;
use futures::future::try_join_all;
use opencode_core::host::{Closed, Counters, Held, Hold, Key, Overdue, Spent, StoreError, Takes, Time};
use opencode_core::identity::Tenant;
use opencode_core::ledger::counters::{MAX_OPEN, Outcome, signed};

use super::account::{DUE, OPEN, Plan, Seen, Step, Written, first};
use super::item::{Item, MARK, mark, number, text};
use super::{Kind, ONLY, partition};
use crate::handle::{Handle, random};
use crate::sdk::store_error;

/// Updates that a hold or a close tries before it gives up.
const TRIES: u32 = 8;
/// The longest pause before the second retry; it grows with each.
const PAUSE_MS: u64 = 10;

impl Counters for Handle {
    async fn hold(&self, hold: &Hold) -> Result<Held, StoreError> {
        let mut taken = false;
        for (account, takes) in hold.accounts.iter().enumerate() {
            match self.take(hold, takes).await? {
                Outcome::Taken => taken = true,
                Outcome::Already => {}
                Outcome::Short { counter, left } => return Ok(Held::Short { account, counter, left }),
            }
        }
        Ok(if taken { Held::Held } else { Held::Already })
    }

    /// An update whose answer was lost may make this `Already`: the hold is closed all the same, once.
    async fn close(&self, id: &str, spent: &[Spent]) -> Result<Closed, StoreError> {
        let closed = try_join_all(spent.iter().map(|spent| self.give_back(id, spent))).await?;
        Ok(if closed.contains(&true) { Closed::Closed } else { Closed::Already })
    }

    async fn overdue(&self, tenant: &Tenant, now: Time, limit: usize) -> Result<Vec<Overdue>, StoreError> {
        self.find_overdue(tenant, now, limit).await
    }
}

impl Handle {
    async fn take(&self, hold: &Hold, takes: &Takes) -> Result<Outcome, StoreError> {
        let pk = partition(Kind::Account, &takes.account);
        let mark = mark();
        let mut plan = Plan::guess(&takes.takes);
        for attempt in 0..TRIES {
            pause(attempt).await;
            let written = plan.written(mark, hold, &takes.takes);
            let written = serde_json::to_string(&written)
                .map_err(|error| StoreError(format!("writing a hold: {error}")))?;
            let update = self.taking(&takes.account, &pk, hold, takes, &plan, &written, mark);
            let old = match self.send(update).await? {
                Sent::Done => {
                    self.memory.lock().unwrap_or_else(PoisonError::into_inner).keep(&pk, &hold.id, written);
                    return Ok(Outcome::Taken);
                }
                // Notes so long that fewer than `MAX_OPEN` fit.
                Sent::Full => return Ok(Outcome::Short { counter: "holds".to_owned(), left: 0 }),
                Sent::Refused(old) => old,
            };
            if let Some(found) = stored(&old, &hold.id).and_then(|text| Written::parse(&text)) {
                return Ok(if found.mark() == mark { Outcome::Taken } else { Outcome::Already });
            }
            let mut seen = Seen::read(&old);
            plan = Plan::fitting(&seen, hold, &takes.takes);
            match seen.account.hold(&hold.id, hold.lease, &hold.note, &takes.takes) {
                Outcome::Taken => {}
                other => return Ok(other),
            }
        }
        Err(contended(&takes.account))
    }

    #[allow(clippy::too_many_arguments)]
    fn taking(
        &self,
        account: &Key,
        pk: &str,
        hold: &Hold,
        takes: &Takes,
        plan: &Plan,
        written: &str,
        mark: u64,
    ) -> UpdateItemFluentBuilder {
        let mut update = self
            .update(pk)
            .expression_attribute_names("#h", format!("h.{}", hold.id))
            .expression_attribute_values(":h", text(written))
            .expression_attribute_names("#n", OPEN)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":max", number(MAX_OPEN))
            .expression_attribute_names("#m", MARK)
            .expression_attribute_values(":m", number(mark))
            .expression_attribute_names("#d", DUE)
            .expression_attribute_values(":lease", number(hold.lease.0))
            .expression_attribute_values(":tenant", text(account.tenant().as_str()));
        let mut set = "SET #h = :h, #m = :m, due_tenant = :tenant, #d = ".to_owned();
        let mut when = "attribute_not_exists(#h) AND (attribute_not_exists(#n) OR #n < :max) AND ".to_owned();
        set.push_str(if plan.earlier { ":lease" } else { "if_not_exists(#d, :lease)" });
        when.push_str(if plan.earlier {
            "#d >= :lease"
        } else {
            "(attribute_not_exists(#d) OR #d <= :lease)"
        });
        for (index, (take, step)) in takes.takes.iter().zip(&plan.steps).enumerate() {
            update = update.expression_attribute_names(format!("#w{index}"), format!("w.{}", take.counter));
            if take.amount > 0 || !matches!(step, Step::Stands { .. }) {
                update =
                    update.expression_attribute_names(format!("#c{index}"), format!("c.{}", take.counter));
            }
            if !matches!(step, Step::Stands { limit: None, .. }) {
                update = update
                    .expression_attribute_names(format!("#l{index}"), format!("l.{}", take.counter))
                    .expression_attribute_values(format!(":l{index}"), number(take.limit));
            }
            match step {
                Step::Stands { window, limit } => {
                    update = update.expression_attribute_values(format!(":w{index}"), number(window));
                    when.push_str(&format!(" AND #w{index} = :w{index}"));
                    if limit.is_some() {
                        when.push_str(&format!(" AND #l{index} = :l{index}"));
                    }
                    if take.amount > 0 {
                        let amount = number(signed(take.amount));
                        update = update.expression_attribute_values(format!(":a{index}"), amount);
                        set.push_str(&format!(", #c{index} = #c{index} - :a{index}"));
                        when.push_str(&format!(" AND #c{index} >= :a{index}"));
                    }
                }
                Step::Relimits { window, from } => {
                    let needs =
                        signed(take.amount).saturating_sub(signed(take.limit).saturating_sub(signed(*from)));
                    update = update
                        .expression_attribute_values(format!(":w{index}"), number(window))
                        .expression_attribute_values(format!(":f{index}"), number(from))
                        .expression_attribute_values(format!(":a{index}"), number(needs));
                    set.push_str(&format!(", #c{index} = #c{index} - :a{index}, #l{index} = :l{index}"));
                    when.push_str(&format!(" AND #w{index} = :w{index} AND #l{index} = :f{index}"));
                    if take.amount > 0 {
                        when.push_str(&format!(" AND #c{index} >= :a{index}"));
                    }
                }
                Step::Begins { after } => {
                    update = update
                        .expression_attribute_values(format!(":w{index}"), number(take.window))
                        .expression_attribute_values(format!(":c{index}"), number(first(take)));
                    set.push_str(&format!(
                        ", #c{index} = :c{index}, #w{index} = :w{index}, #l{index} = :l{index}"
                    ));
                    match after {
                        None => when.push_str(&format!(" AND attribute_not_exists(#w{index})")),
                        Some(after) => {
                            update = update.expression_attribute_values(format!(":o{index}"), number(after));
                            when.push_str(&format!(" AND #w{index} = :o{index}"));
                        }
                    }
                }
            }
        }
        update.update_expression(format!("{set} ADD #n :one")).condition_expression(when)
    }

    /// Ends a hold on one account; false when it is not open there.
    async fn give_back(&self, id: &str, spent: &Spent) -> Result<bool, StoreError> {
        let pk = partition(Kind::Account, &spent.account);
        let kept = self.memory.lock().unwrap_or_else(PoisonError::into_inner).take(&pk, id);
        let Some(mut written) = (match kept {
            Some(written) => Some(written),
            None => self.read_hold(&pk, id).await?,
        }) else {
            return Ok(false);
        };
        // Windows that were seen to be over: they get nothing back, and they never return.
        let mut over: Vec<String> = Vec::new();
        for attempt in 0..TRIES {
            pause(attempt).await;
            let Some(open) = Written::parse(&written).map(Written::open) else {
                return Err(StoreError("a hold cannot be read".to_owned()));
            };
            let mut update = self
                .update(&pk)
                .expression_attribute_names("#h", format!("h.{id}"))
                .expression_attribute_values(":h", text(written.as_str()))
                .expression_attribute_names("#n", OPEN)
                .expression_attribute_values(":less", number(-1));
            let mut set = Vec::new();
            let mut when = "#h = :h".to_owned();
            for (index, took) in open.took.iter().enumerate() {
                let back = took.back(&spent.spent);
                if back == 0 || over.contains(&took.counter) {
                    continue;
                }
                update = update
                    .expression_attribute_names(format!("#c{index}"), format!("c.{}", took.counter))
                    .expression_attribute_names(format!("#w{index}"), format!("w.{}", took.counter))
                    .expression_attribute_values(format!(":b{index}"), number(back))
                    .expression_attribute_values(format!(":w{index}"), number(took.window));
                set.push(format!("#c{index} = #c{index} + :b{index}"));
                when.push_str(&format!(" AND #w{index} = :w{index}"));
            }
            let set = if set.is_empty() { String::new() } else { format!("SET {}", set.join(", ")) };
            let update = update.update_expression(format!("{set} REMOVE #h ADD #n :less"));
            let old = match self.send(update.condition_expression(when)).await? {
                Sent::Done => return Ok(true),
                Sent::Full => return Err(StoreError("an account is full".to_owned())),
                Sent::Refused(old) => old,
            };
            let Some(found) = stored(&old, id) else { return Ok(false) };
            let seen = Seen::read(&old);
            let open = Written::parse(&found).map(Written::open);
            over = open.iter().flat_map(|open| &open.took).fold(Vec::new(), |mut over, took| {
                if seen.account.counters.get(&took.counter).is_none_or(|now| now.window != took.window) {
                    over.push(took.counter.clone());
                }
                over
            });
            written = found;
        }
        Err(contended(&spent.account))
    }

    async fn read_hold(&self, pk: &str, id: &str) -> Result<Option<String>, StoreError> {
        self.round();
        let get = self.aws.dynamodb.get_item().table_name(&self.aws.table).consistent_read(true);
        let get = get.key("pk", text(pk)).key("sk", text(ONLY)).projection_expression("#h");
        let got = get.expression_attribute_names("#h", format!("h.{id}")).send().await;
        let got = got.map_err(|error| store_error("reading a hold", &error))?;
        Ok(got.item.and_then(|item| stored(&item, id)))
    }

    pub(super) fn update(&self, pk: &str) -> UpdateItemFluentBuilder {
        let update = self.aws.dynamodb.update_item().table_name(&self.aws.table);
        update.key("pk", text(pk)).key("sk", text(ONLY))
    }

    pub(super) async fn send(&self, update: UpdateItemFluentBuilder) -> Result<Sent, StoreError> {
        self.round();
        match update.return_values_on_condition_check_failure(OnFailure::AllOld).send().await {
            Ok(_) => Ok(Sent::Done),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(Sent::Refused(refused.item().cloned().unwrap_or_default()))
                }
                Some(service)
                    if service.meta().code() == Some("ValidationException")
                        && service.meta().message().is_some_and(|text| text.contains("size")) =>
                {
                    Ok(Sent::Full)
                }
                _ => Err(store_error("updating an account", &error)),
            },
        }
    }
}

/// What became of a conditional update.
pub(super) enum Sent {
    Done,
    /// The condition failed: the item as it stands, empty when there is none.
    Refused(Item),
    /// The item would be larger than DynamoDB allows.
    Full,
}

/// A hold's attribute.
fn stored(item: &Item, id: &str) -> Option<String> {
    item.get(&format!("h.{id}"))?.as_s().ok().cloned()
}

/// The first retry is at once: it is the guess that did not fit. Later ones have met another writer.
async fn pause(attempt: u32) {
    if let Some(late) = u64::from(attempt).checked_sub(1).filter(|late| *late > 0) {
        let most = u128::from(PAUSE_MS.saturating_mul(late));
        let pause = u64::try_from(random() % most.max(1)).unwrap_or(PAUSE_MS);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

fn contended(account: &Key) -> StoreError {
    StoreError(format!("account {account} is too contended: {TRIES} updates failed"))
}
