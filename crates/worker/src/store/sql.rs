//! The object's SQLite: statements, values and transactions.

use bytes::Bytes;
use opencode_core::host::{Key, Time};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use worker::{Error, Result, SqlStorage, SqlStorageValue, Storage};

/// The largest integer that survives JavaScript's numbers.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The object's database.
pub struct Sql {
    storage: Transactional,
    sql: SqlStorage,
}

#[wasm_bindgen]
extern "C" {
    #[derive(Clone)]
    type Transactional;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &Transactional,
        work: &mut dyn FnMut() -> std::result::Result<(), JsValue>,
    ) -> std::result::Result<(), JsValue>;
}

impl Sql {
    /// The database of an object's storage.
    pub fn new(storage: &Storage) -> Self {
        let raw: &JsValue = storage.as_raw().as_ref();
        Self { storage: raw.clone().unchecked_into(), sql: storage.sql() }
    }

    /// Runs one statement that answers nothing.
    pub fn run<const N: usize>(&self, statement: &str, values: [SqlStorageValue; N]) -> Result<()> {
        self.sql.exec(statement, values.to_vec()).map(drop)
    }

    /// Runs one statement. Its rows must be read before the next statement.
    pub fn rows<const N: usize>(
        &self,
        statement: &str,
        values: [SqlStorageValue; N],
    ) -> Result<impl Iterator<Item = Result<Row>> + use<N>> {
        let rows = self.sql.exec(statement, values.to_vec())?.raw();
        Ok(rows.map(|row| row.map(|columns| Row(columns.into_iter()))))
    }

    /// Runs several statements that all hold or, after an error, never were.
    pub fn transaction<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        let mut result = None;
        self.storage.transaction_sync(&mut || {
            result = Some(work()?);
            Ok(())
        })?;
        result.ok_or_else(|| "a transaction without a result".into())
    }
}

/// A row, read column by column in the statement's order.
pub struct Row(std::vec::IntoIter<SqlStorageValue>);

impl Row {
    /// The next column as a whole number.
    pub fn int(&mut self) -> Result<u64> {
        match self.0.next() {
            Some(SqlStorageValue::Integer(value)) => u64::try_from(value).map_err(|_| odd()),
            _ => Err(odd()),
        }
    }

    /// The next column as a text.
    pub fn text(&mut self) -> Result<String> {
        match self.0.next() {
            Some(SqlStorageValue::String(value)) => Ok(value),
            _ => Err(odd()),
        }
    }

    /// The next column as bytes.
    pub fn bytes(&mut self) -> Result<Bytes> {
        match self.0.next() {
            Some(SqlStorageValue::Blob(value)) => Ok(value.into()),
            _ => Err(odd()),
        }
    }
}

/// A whole number as a value.
pub fn int(value: u64) -> SqlStorageValue {
    SqlStorageValue::Integer(i64::try_from(value.min(MAX_INTEGER)).unwrap_or(i64::MAX))
}

/// A time as a value.
pub fn time(value: Time) -> SqlStorageValue {
    int(value.0)
}

/// Bytes as a value.
pub fn blob(value: &[u8]) -> SqlStorageValue {
    SqlStorageValue::Blob(value.to_vec())
}

/// A key as a value: it begins with the tenant here too.
pub fn name(key: &Key) -> SqlStorageValue {
    SqlStorageValue::String(key.to_string())
}

fn odd() -> Error {
    "a stored row is not of the expected form".into()
}
