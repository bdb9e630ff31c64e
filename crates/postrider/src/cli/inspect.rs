//! `postrider inspect`: raw rows and bodies, straight from the store, server up or down.

use std::collections::BTreeMap;

use path_ledger::{MessageId, Table, Which, inspect, inspect_body};
use serde_json::{Value, json};

use super::{Context, Exit, print};
use crate::rooms;

/// The largest body shown: no message accepted is larger.
const BODY_MAX: usize = 2_000_000_000;

#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Rows of a table: message, recipient, attempt, event, body, next_hop or node; the newest, or those of an id.
    Rows {
        #[arg(value_parser = table)]
        table: Table,
        /// An id of the row or of its message; a next hop's key for next_hop.
        key: Option<String>,
    },
    /// The octets of a body, by its message's id.
    Body { id: MessageId },
    /// Files of bodies that no row names.
    Orphans,
}

fn table(word: &str) -> Result<Table, String> {
    Table::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = Table::ALL.iter().map(|table| table.word()).collect();
        format!("tables are {}", words.join(", "))
    })
}

fn failed(error: impl std::fmt::Display) -> Exit {
    print::error(&error.to_string());
    Exit::Unreachable
}

impl Inspect {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let config = context.config()?;
        let spinner = context.spinner("reading the store");
        let (world, _) = rooms::world(&config.settings).map_err(failed)?;
        let store = rooms::store(&config, &world).await.map_err(failed)?;
        match self.what {
            What::Rows { table, key } => {
                let which = match (table, key) {
                    (_, None) => Which::Newest,
                    (Table::NextHop, Some(key)) => Which::Key(key),
                    (_, Some(key)) => Which::Id(key.parse().map_err(failed)?),
                };
                let rows = inspect(&store, table, &which).await.map_err(failed)?;
                drop(spinner);
                for row in &rows {
                    let fields: BTreeMap<&str, &Option<String>> = row
                        .columns
                        .iter()
                        .map(|(name, value)| (name.as_str(), value))
                        .collect();
                    show(context, &json!(fields))?;
                }
                Ok(if rows.is_empty() {
                    Exit::Refused
                } else {
                    Exit::Done
                })
            }
            What::Body { id } => {
                let body = inspect_body(&store, id, BODY_MAX).await.map_err(failed)?;
                drop(spinner);
                let Some(body) = body else {
                    print::error(&format!(
                        "there is no body {id}: nobody needs it any more, or it never was"
                    ));
                    return Err(Exit::Refused);
                };
                print::octets(&body)?;
                Ok(Exit::Done)
            }
            What::Orphans => {
                let orphans = store.orphan_body_files().await.map_err(failed)?;
                drop(spinner);
                for orphan in orphans {
                    let modified = orphan.modified.to_string();
                    show(
                        context,
                        &json!({ "file": orphan.name, "size": orphan.size, "modified": modified }),
                    )?;
                }
                Ok(Exit::Done)
            }
        }
    }
}

fn show(context: &Context, row: &Value) -> Result<(), Exit> {
    if context.json {
        return print::out(&row.to_string());
    }
    print::fields(row)?;
    print::out("")
}
