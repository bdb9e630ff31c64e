//! Counts kept by triggers against what a scan of the rows says.

use std::sync::Arc;

use super::sample::{FINAL, Facts, OPEN, assert_refused, message, moved, recipient, unit_of};
use super::{Place, one_int};
use crate::{Query, Row, Sql, Store, StoreError, Unit};

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // Knuth's MMIX generator; its upper bits are good enough to shuffle a history.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let index = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        from.get(index).copied()
    }
}

/// One step of a history: a message comes, or recipients move. Some steps fail, and must count nothing.
fn step(dice: &mut Dice, next_id: &mut i64) -> Unit {
    const LEFT: [&str; 5] = ["delivered", "relayed", "expanded", "returned", "discarded"];
    const HOPS: [&str; 3] = ["one.test", "two.test", "three.test"];
    let mut unit = Unit::new();
    let facts = |dice: &mut Dice, states: &[&'static str]| Facts {
        next_hop: dice.pick(&HOPS).unwrap_or("one.test"),
        ..Facts::of(dice.pick(states).unwrap_or("queued"))
    };
    if dice.below(3) == 0 {
        let id = *next_id;
        let count = 1 + i64::try_from(dice.below(4)).unwrap_or(0);
        message(&mut unit, id, count);
        for place in 0..count {
            recipient(&mut unit, id + place, id, &facts(dice, &OPEN));
        }
        *next_id = id + count;
        if dice.below(4) == 0 {
            // Born final: it is counted, and does not need the body.
            recipient(&mut unit, *next_id, id, &facts(dice, &LEFT));
            *next_id += 1;
        }
        return unit;
    }
    for _ in 0..=dice.below(2) {
        let id = dice.below(u64::try_from(*next_id).unwrap_or(1));
        let states: &[&str] = if dice.below(3) == 0 { &FINAL } else { &OPEN };
        moved(
            &mut unit,
            i64::try_from(id).unwrap_or(0),
            &facts(dice, states),
        );
    }
    unit
}

async fn compare(store: &Store, kept: &'static str, scan: &'static str) -> Result<(), StoreError> {
    let queries = vec![Query::new(kept, Vec::new()), Query::new(scan, Vec::new())];
    let found = store.read_snapshot(queries).await?;
    let [kept, scanned] = <[Vec<Row>; 2]>::try_from(found).expect("two answers");
    assert!(!scanned.is_empty(), "nothing to compare: {scan}");
    assert_eq!(kept, scanned, "{scan}");
    Ok(())
}

pub(super) async fn counts_equal_a_scan_after_any_history(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    let (mut dice, mut next_id, mut refused) = (Dice(20), 1, 0);
    for _ in 0..600 {
        match store.write(step(&mut dice, &mut next_id)).await {
            Ok(_) => {}
            Err(StoreError::Refused(_) | StoreError::Conflict(_)) => refused += 1,
            Err(error) => return Err(error),
        }
    }
    assert!(refused > 20, "only {refused} steps were refused");
    compare(
        &store,
        "SELECT state, next_hop, hour, n FROM tally ORDER BY state, next_hop, hour",
        "SELECT state, next_hop, accepted_at / 3600000, COUNT(*) FROM recipient WHERE finished_at IS NULL
         GROUP BY state, next_hop, accepted_at / 3600000 ORDER BY state, next_hop, accepted_at / 3600000",
    )
    .await?;
    compare(
        &store,
        "SELECT what, n FROM total WHERE n > 0 ORDER BY what",
        "SELECT what, n FROM (SELECT 'accepted' AS what, COUNT(*) AS n FROM recipient
         UNION ALL SELECT state, COUNT(*) FROM recipient WHERE finished_at IS NOT NULL GROUP BY state) AS scan
         WHERE n > 0 ORDER BY what",
    )
    .await?;
    compare(
        &store,
        "SELECT id, pending FROM message ORDER BY id",
        "SELECT message, SUM(CASE WHEN finished_at IS NULL OR state = 'dead_letter' THEN 1 ELSE 0 END) FROM recipient
         GROUP BY message ORDER BY message",
    )
    .await?;
    compare(
        &store,
        "SELECT id, refs FROM body ORDER BY id",
        "SELECT body, COUNT(*) FROM message WHERE body IS NOT NULL GROUP BY body ORDER BY body",
    )
    .await?;
    let lost = "SELECT COUNT(*) FROM message WHERE pending > 0 AND body IS NULL";
    assert_eq!(one_int(&store, lost).await?, 0);
    Ok(())
}

pub(super) async fn references_cannot_be_given(place: Arc<dyn Place>) -> Result<(), StoreError> {
    let store = place.open().await?;
    const BODY: Sql = Sql::each(
        "INSERT INTO body (id, size, checksum, refs, content) VALUES (1, 1, zeroblob(32), 1, X'00')",
        "INSERT INTO body (id, size, checksum, refs, content) VALUES (1, 1, decode(repeat('00', 32), 'hex'), 1, '\\x00')",
    );
    assert_refused(&store, unit_of(BODY, Vec::new()), "references given").await;
    Ok(())
}

pub(super) async fn a_count_too_small_never_costs_a_body(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    let mut unit = Unit::new();
    message(&mut unit, 1, 1);
    for id in [1, 2] {
        recipient(&mut unit, id, 1, &Facts::of("queued"));
    }
    store.write(unit).await?;
    let mut settle = Unit::new();
    moved(&mut settle, 1, &Facts::of("relayed"));
    assert_refused(&store, settle, "the body let go too early").await;
    assert!(store.read_body(1).await?.is_some());
    Ok(())
}
