//! Raw rows can be seen whatever else is broken.

use ground_store::Sql;

use super::*;
use crate::fixture::{book, hop, queued};

const COLUMNS: Sql = Sql::each(
    "SELECT name FROM pragma_table_info($1) WHERE name <> 'content' ORDER BY cid",
    "SELECT CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_schema = current_schema() \
       AND CAST(table_name AS TEXT) = $1 AND column_name <> 'content' ORDER BY ordinal_position",
);

#[tokio::test(start_paused = true)]
async fn every_table_shows_its_rows_with_every_column_of_the_schema() {
    let book = book().await;
    let id = book.row(book.one(queued()).await).await.message;
    book.ledger
        .hop_down(&hop(), book.now(), 1, "refused", "mx")
        .await
        .unwrap();
    let store = book.ledger.store();
    for table in Table::ALL {
        assert_eq!(Table::from_word(table.word()), Some(table));
        let columns = Query::new(store.text_of(COLUMNS), vec![table.word().into()]);
        let schema = store.read(columns).await.unwrap();
        let schema: Vec<_> = schema
            .iter()
            .map(|row| row.text(0).unwrap().to_owned())
            .collect();
        assert_eq!(table.columns(), schema, "{table}");
        let rows = inspect(store, table, &Which::Newest).await.unwrap();
        assert_eq!(rows.is_empty(), table == Table::Attempt, "{table}");
    }
    let rows = inspect(store, Table::Recipient, &Which::Id(id))
        .await
        .unwrap();
    let shown = |name: &str| {
        let found = rows[0].columns.iter().find(|(column, _)| column == name);
        found.unwrap().1.clone()
    };
    assert_eq!(shown("message"), Some(id.to_string()));
    assert_eq!(
        shown("accepted_at"),
        Some("2026-01-01T00:00:00.000Z".to_owned())
    );
    assert_eq!(shown("claimed_by"), None);
    let hops = inspect(store, Table::NextHop, &Which::Key(hop().to_string()))
        .await
        .unwrap();
    assert_eq!(hops.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_is_shown_by_its_id_and_a_missing_one_is_said_to_be() {
    let book = book().await;
    let id = book.row(book.one(queued()).await).await.message;
    let store = book.ledger.store();
    let body = inspect_body(store, id, 1000).await.unwrap().unwrap();
    assert_eq!(&body[..9], b"Subject: ");
    assert!(inspect_body(store, id, 3).await.is_err());
    assert_eq!(
        inspect_body(store, MessageId::from_key(1), 1000)
            .await
            .unwrap(),
        None
    );
}
