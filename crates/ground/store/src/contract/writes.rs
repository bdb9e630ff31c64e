//! Units and queries.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::sample::{assert_refused, unit_of};
use super::{Place, one_int};
use crate::{Query, Sql, Store, StoreError, Unit, Value};

const TABLE: Sql = Sql::each(
    "CREATE TABLE sample (id INTEGER PRIMARY KEY, n INTEGER, t TEXT, b BLOB) STRICT",
    "CREATE TABLE sample (id BIGINT PRIMARY KEY, n BIGINT, t TEXT, b BYTEA)",
);
const INSERT: Sql = Sql::new("INSERT INTO sample (id, n, t, b) VALUES ($1, $2, $3, $4)");
const ADD: Sql = Sql::new("UPDATE sample SET n = n + $2 WHERE id = $1");
const COUNT: &str = "SELECT COUNT(*) FROM sample";

async fn with_table(place: &Arc<dyn Place>) -> Result<Store, StoreError> {
    let store = place.open().await?;
    store.write(unit_of(TABLE, Vec::new())).await?;
    Ok(store)
}

fn row(unit: &mut Unit, id: i64, n: i64) {
    unit.write(INSERT, vec![id.into(), n.into(), Value::Null, Value::Null]);
}

pub(super) async fn every_unit_that_is_committed_is_counted_and_so_is_each_commit(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    let before = store.commits().units();
    for id in 0..5 {
        let mut unit = Unit::new();
        row(&mut unit, id, 0);
        store.write(unit).await?;
    }
    assert_eq!(store.commits().units() - before, 5);
    let commits: u64 = store.commits().time.read().counts.iter().sum();
    // One after the other, no two of them can share one.
    assert!(
        (5..=store.commits().units()).contains(&commits),
        "{commits}"
    );
    Ok(())
}

pub(super) async fn every_type_of_value_comes_back_as_it_was(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    let rows: [[Value; 4]; 4] = [
        [
            1.into(),
            i64::MAX.into(),
            "text \u{1F4EE} 'quoted' $1".into(),
            Bytes::from_static(b"\0\xff").into(),
        ],
        [2.into(), i64::MIN.into(), "".into(), Bytes::new().into()],
        [3.into(), Value::Null, Value::Null, Value::Null],
        [
            4.into(),
            0.into(),
            "x".repeat(100_000).into(),
            vec![7; 300_000].into(),
        ],
    ];
    for values in &rows {
        store.write(unit_of(INSERT, values.to_vec())).await?;
    }
    let query = Query::new("SELECT id, n, t, b FROM sample ORDER BY id", Vec::new());
    let found = store.read(query).await?;
    let found: Vec<&[Value]> = found.iter().map(crate::Row::values).collect();
    assert_eq!(
        found,
        rows.iter().map(<[_; 4]>::as_slice).collect::<Vec<_>>()
    );
    Ok(())
}

pub(super) async fn parameters_are_known_by_their_number_not_their_order(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    const BACKWARDS: Sql = Sql::new("INSERT INTO sample (t, n, id) VALUES ($3, $2, $1)");
    let values = vec![1.into(), 22.into(), "three".into()];
    store.write(unit_of(BACKWARDS, values)).await?;
    let text = "SELECT id FROM sample WHERE t = $2 AND n = $1 AND n = $1";
    let query = Query::new(text, vec![22.into(), "three".into()]);
    let found = store.read(query).await?;
    assert_eq!(found.len(), 1);
    Ok(())
}

pub(super) async fn returning_gives_rows_and_changes_are_counted(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    const ADD_ALL: Sql = Sql::new("UPDATE sample SET n = n + 1 RETURNING id, n");
    const DELETE: Sql = Sql::new("DELETE FROM sample WHERE n > $1");
    let mut unit = Unit::new();
    row(&mut unit, 1, 10);
    row(&mut unit, 2, 20);
    unit.write_exactly(2, ADD_ALL, Vec::new());
    unit.write_exactly(1, DELETE, vec![11.into()]);
    unit.write(DELETE, vec![11.into()]);
    let done = store.write(unit).await?;
    assert_eq!(done.changed, [1, 1, 2, 1, 0]);
    let mut returned: Vec<i64> = Vec::new();
    for row in done.returned.iter().flatten() {
        returned.extend([row.int(0)?, row.int(1)?]);
    }
    assert_eq!(returned, [1, 11, 2, 21]);
    Ok(())
}

pub(super) async fn a_statement_with_the_wrong_number_of_values_is_refused(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    assert_refused(&store, unit_of(ADD, vec![1.into()]), "too few").await;
    let many = vec![1.into(), 2.into(), 3.into()];
    assert_refused(&store, unit_of(ADD, many), "too many").await;
    Ok(())
}

pub(super) async fn a_unit_is_stored_whole_or_not_at_all(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    let mut twice = Unit::new();
    row(&mut twice, 1, 0);
    row(&mut twice, 2, 0);
    row(&mut twice, 1, 0);
    assert_refused(&store, twice, "the same id twice").await;
    let mut unmet = Unit::new();
    row(&mut unmet, 3, 0);
    unmet.write_exactly(1, ADD, vec![99.into(), 1.into()]);
    let Err(StoreError::Conflict(told)) = store.write(unmet).await else {
        panic!("an unmet expectation was committed");
    };
    assert_eq!((told.statement, told.expected, told.changed), (1, 1, 0));
    assert_eq!(one_int(&store, COUNT).await?, 0);
    Ok(())
}

/// Units that wait together share a transaction; those that fail, early or late in themselves, must not be felt.
pub(super) async fn a_conflict_leaves_its_neighbours_untouched(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    let mut tasks = Vec::new();
    for id in 0..300_i64 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let mut unit = Unit::new();
            match id % 5 {
                // Fails at once, having changed nothing.
                1 => unit.write_exactly(1, ADD, vec![(-1).into(), 1.into()]),
                // Fails after it has written.
                2 => {
                    row(&mut unit, id, 0);
                    unit.write_exactly(1, ADD, vec![(-1).into(), 1.into()]);
                }
                // Refused after it has written.
                3 => {
                    row(&mut unit, id, 0);
                    row(&mut unit, id, 0);
                }
                _ => {
                    row(&mut unit, id, 0);
                    row(&mut unit, id + 1000, 0);
                }
            }
            (id, store.write(unit).await)
        }));
    }
    for task in tasks {
        let (id, answer) = task.await.expect("the task ends");
        match id % 5 {
            1 | 2 => assert!(matches!(answer, Err(StoreError::Conflict(_))), "{answer:?}"),
            3 => assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}"),
            _ => assert!(answer.is_ok(), "{answer:?}"),
        }
    }
    assert_eq!(one_int(&store, COUNT).await?, 2 * 120);
    let wrong = "SELECT COUNT(*) FROM sample WHERE id % 5 NOT IN (0, 4)";
    assert_eq!(one_int(&store, wrong).await?, 0);
    Ok(())
}

pub(super) async fn concurrent_units_all_count(place: Arc<dyn Place>) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    let mut unit = Unit::new();
    row(&mut unit, 1, 0);
    store.write(unit).await?;
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                let mut unit = Unit::new();
                unit.write_exactly(1, ADD, vec![1.into(), 1.into()]);
                store.write(unit).await?;
            }
            Ok::<(), StoreError>(())
        }));
    }
    for task in tasks {
        task.await.expect("the task ends")?;
    }
    assert_eq!(one_int(&store, "SELECT n FROM sample").await?, 500);
    Ok(())
}

/// Money moves between two rows; whoever looks at both with two queries sees the same sum.
pub(super) async fn a_snapshot_is_of_one_moment(place: Arc<dyn Place>) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    let mut unit = Unit::new();
    row(&mut unit, 1, 1000);
    row(&mut unit, 2, 0);
    store.write(unit).await?;
    let mover = store.clone();
    let moving = tokio::spawn(async move {
        for _ in 0..200 {
            let mut unit = Unit::new();
            unit.write_exactly(1, ADD, vec![1.into(), (-1).into()]);
            unit.write_exactly(1, ADD, vec![2.into(), 1.into()]);
            mover.write(unit).await?;
        }
        Ok::<(), StoreError>(())
    });
    let one = |id: i64| Query::new("SELECT n FROM sample WHERE id = $1", vec![id.into()]);
    while !moving.is_finished() {
        let found = store.read_snapshot(vec![one(1), one(2)]).await?;
        let mut sum = 0;
        for row in found.iter().flatten() {
            sum += row.int(0)?;
        }
        assert_eq!(sum, 1000);
    }
    moving.await.expect("the task ends")?;
    assert_eq!(
        one_int(&store, "SELECT n FROM sample WHERE id = 2").await?,
        200
    );
    Ok(())
}

pub(super) async fn a_query_cannot_write(place: Arc<dyn Place>) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    let query = Query::new("INSERT INTO sample (id) VALUES (1)", Vec::new());
    let answer = store.read(query).await;
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
    assert_eq!(one_int(&store, COUNT).await?, 0);
    Ok(())
}

pub(super) async fn a_write_that_hangs_ends_at_its_deadline(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    store.faults().hold_writes();
    let mut unit = Unit::new();
    row(&mut unit, 1, 0);
    let waiting = store.clone();
    let mut write = tokio::spawn(async move { waiting.write(unit).await });
    let early = tokio::time::timeout(Duration::from_millis(20), &mut write).await;
    assert!(early.is_err(), "a held write was answered: {early:?}");
    let answer = write.await.expect("the task ends");
    assert!(
        matches!(answer, Err(StoreError::Unavailable(_))),
        "{answer:?}"
    );
    store.faults().release_writes();
    let mut unit = Unit::new();
    row(&mut unit, 2, 0);
    store.write(unit).await?;
    assert_eq!(one_int(&store, "SELECT id FROM sample").await?, 2);
    Ok(())
}

pub(super) async fn a_scripted_failure_stores_nothing_and_a_lost_answer_does(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = with_table(&place).await?;
    let insert = |id: i64| {
        let mut unit = Unit::new();
        row(&mut unit, id, 0);
        unit
    };
    let full = StoreError::Full("as scripted".into());
    store.faults().fail_next_write(full.clone());
    assert_eq!(store.write(insert(1)).await.map(drop), Err(full));
    store.faults().lose_next_answer();
    let lost = store.write(insert(2)).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    store.write(insert(3)).await?;
    assert_eq!(one_int(&store, "SELECT SUM(id) FROM sample").await?, 5);
    Ok(())
}
