//! What a move of a store knows of its tables is what the engine has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Place;
use crate::transfer::tables::{LEFT, TABLES};
use crate::{Query, Sql, Store, StoreError};

/// Every column of every table, with its kind.
const COLUMNS: Sql = Sql::each(
    "SELECT one.name, of.name, of.type FROM sqlite_schema AS one JOIN pragma_table_info(one.name) AS of \
     WHERE one.type = 'table' ORDER BY one.name, of.cid",
    "SELECT CAST(of.table_name AS TEXT), CAST(of.column_name AS TEXT), CAST(of.data_type AS TEXT) \
     FROM information_schema.tables AS one JOIN information_schema.columns AS of \
       ON of.table_schema = one.table_schema AND of.table_name = one.table_name \
     WHERE one.table_schema = current_schema() AND one.table_type = 'BASE TABLE' ORDER BY 1, of.ordinal_position",
);

const OCTETS: [&str; 2] = ["BLOB", "bytea"];

/// Tables, their columns, and whether each holds octets.
type Found = BTreeMap<String, BTreeMap<String, bool>>;

async fn found(store: &Store) -> Result<Found, StoreError> {
    let query = Query::new(store.text_of(COLUMNS), Vec::new());
    let mut found = Found::new();
    for row in store.read(query).await? {
        let octets = OCTETS.contains(&row.text(2)?);
        let columns = found.entry(row.text(0)?.to_owned()).or_default();
        columns.insert(row.text(1)?.to_owned(), octets);
    }
    Ok(found)
}

pub(super) async fn every_table_and_every_column_moves_or_is_said_not_to(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let found = found(&place.open().await?).await?;
    for (name, columns) in &found {
        let Some(table) = TABLES.iter().find(|table| table.name == name) else {
            let left = LEFT.iter().any(|(left, _)| left == name);
            assert!(left, "the table {name} would not move");
            continue;
        };
        let said: BTreeSet<&str> = table.columns.iter().chain(table.derived).copied().collect();
        let names: BTreeSet<&str> = columns.keys().map(String::as_str).collect();
        assert_eq!(said, names, "the columns of {name}");
        for (column, octets) in columns {
            let said = table.octets.contains(&column.as_str());
            assert_eq!(*octets, said, "{name}.{column}");
        }
    }
    for table in &TABLES {
        assert!(found.contains_key(table.name), "{} is gone", table.name);
    }
    Ok(())
}
