//! The promises about recipients that the database itself keeps, whoever writes.

use std::sync::Arc;

use super::sample::{
    ACCEPTED, BEGIN, FINAL, Facts, OPEN, assert_refused, moved, recipient, store_message, unit_of,
};
use super::{Place, one_int};
use crate::{Sql, Store, StoreError, Unit, Value};

/// Tries `facts` as a new recipient, and as a change of one that is fine.
async fn assert_impossible(store: &Store, facts: &Facts, what: &str) {
    let mut born = Unit::new();
    recipient(&mut born, 99, 1, facts);
    assert_refused(store, born, &format!("{what}, new {}", facts.state)).await;
    let mut changed = Unit::new();
    moved(&mut changed, 1, facts);
    assert_refused(
        store,
        changed,
        &format!("{what}, changed to {}", facts.state),
    )
    .await;
}

/// Without this, a rule that refuses everything would pass as kept.
async fn assert_possible(store: &Store, right: &Facts) {
    // Matches no row, so that the unit is undone by its own expectation once the change has been taken.
    const PROBE: Sql = Sql::new("UPDATE next_hop SET failures = 0");
    let mut unit = Unit::new();
    moved(&mut unit, 1, right);
    unit.write_exactly(1, PROBE, Vec::new());
    match store.write(unit).await {
        Err(StoreError::Conflict(told)) => assert_eq!(told.statement, 1),
        other => panic!("{} as it should be: {other:?}", right.state),
    }
}

pub(super) async fn no_state_is_without_an_alarm_clock(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    store_message(&store, &["queued"]).await?;
    for state in OPEN {
        let right = Facts::of(state);
        assert_possible(&store, &right).await;
        let no_deadline = Facts {
            deadline_at: Value::Null,
            ..right.clone()
        };
        assert_impossible(&store, &no_deadline, "no deadline").await;
        let no_expiry = Facts {
            expires_at: Value::Null,
            ..right.clone()
        };
        assert_impossible(&store, &no_expiry, "no expiry").await;
        let neither = Facts {
            deadline_at: Value::Null,
            ..no_expiry
        };
        assert_impossible(&store, &neither, "neither deadline nor expiry").await;
        let finished = Facts {
            finished_at: ACCEPTED.into(),
            ..right
        };
        assert_impossible(&store, &finished, "finished, but not final").await;
    }
    const STRIP: Sql = Sql::new("UPDATE recipient SET deadline_at = NULL");
    assert_refused(&store, unit_of(STRIP, Vec::new()), "the clock taken away").await;
    Ok(())
}

pub(super) async fn an_attempt_has_begun_only_in_flight_and_counted(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    store_message(&store, &OPEN).await?;
    for (id, state) in (1..).zip(OPEN) {
        let begin = |count: Value| unit_of(BEGIN, vec![Value::Int(id), ACCEPTED.into(), count]);
        assert_refused(&store, begin(Value::Null), &format!("{state}, no suspect")).await;
        assert_refused(&store, begin(0.into()), &format!("{state}, not counted")).await;
        if state == "in_flight" {
            store.write(begin(1.into())).await?;
            continue;
        }
        assert_refused(&store, begin(1.into()), &format!("{state}, begun")).await;
    }
    Ok(())
}

pub(super) async fn no_deadline_lies_after_the_expiry(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    store_message(&store, &["queued"]).await?;
    for state in OPEN {
        let right = Facts::of(state);
        let late = Facts {
            expires_at: (ACCEPTED + 999).into(),
            ..right.clone()
        };
        assert_impossible(&store, &late, "deadline after expiry").await;
        let mut just = Unit::new();
        let at_once = Facts {
            expires_at: right.deadline_at.clone(),
            ..right
        };
        moved(&mut just, 1, &at_once);
        store.write(just).await?;
    }
    Ok(())
}

pub(super) async fn a_final_state_needs_cause_actor_and_time(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    store_message(&store, &["queued"]).await?;
    for state in FINAL {
        let right = Facts::of(state);
        assert_possible(&store, &right).await;
        let no_time = Facts {
            finished_at: Value::Null,
            ..right.clone()
        };
        assert_impossible(&store, &no_time, "no time").await;
        let no_cause = Facts {
            cause: Value::Null,
            ..right.clone()
        };
        assert_impossible(&store, &no_cause, "no cause").await;
        let no_actor = Facts {
            actor: Value::Null,
            ..right.clone()
        };
        assert_impossible(&store, &no_actor, "no actor").await;
        let still_due = Facts {
            deadline_at: 1.into(),
            ..right
        };
        assert_impossible(&store, &still_due, "still due").await;
    }
    Ok(())
}

pub(super) async fn a_state_outside_the_list_is_refused(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    store_message(&store, &["queued"]).await?;
    for state in ["damaged", "", "Queued"] {
        let facts = Facts {
            state,
            ..Facts::of("queued")
        };
        assert_impossible(&store, &facts, "unknown state").await;
    }
    Ok(())
}

pub(super) async fn final_is_final(place: Arc<dyn Place>) -> Result<(), StoreError> {
    let store = place.open().await?;
    store_message(&store, &FINAL).await?;
    for id in 1..=6 {
        for state in OPEN.into_iter().chain(FINAL) {
            let mut unit = Unit::new();
            moved(&mut unit, id, &Facts::of(state));
            assert_refused(&store, unit, &format!("final {id} to {state}")).await;
        }
        const REWRITE: Sql = Sql::new("UPDATE recipient SET cause = 'another' WHERE id = $1");
        let unit = unit_of(REWRITE, vec![id.into()]);
        assert_refused(&store, unit, "history rewritten").await;
    }
    Ok(())
}

pub(super) async fn what_is_not_final_cannot_vanish(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    store_message(
        &store,
        &["categorizing", "queued", "in_flight", "held", "relayed"],
    )
    .await?;
    const DELETE: Sql = Sql::new("DELETE FROM recipient WHERE id = $1");
    for id in 1..=4 {
        let unit = unit_of(DELETE, vec![id.into()]);
        assert_refused(&store, unit, "a deletion").await;
    }
    const REPLACE: Sql = Sql::each(
        "INSERT OR REPLACE INTO recipient SELECT * FROM recipient WHERE id = 2",
        "INSERT INTO recipient SELECT * FROM recipient WHERE id = 2",
    );
    assert_refused(&store, unit_of(REPLACE, Vec::new()), "a replacement").await;
    const MESSAGE: Sql = Sql::new("DELETE FROM message WHERE id = 1");
    assert_refused(&store, unit_of(MESSAGE, Vec::new()), "its message").await;
    const BODY: Sql = Sql::new("DELETE FROM body WHERE id = 1");
    assert_refused(&store, unit_of(BODY, Vec::new()), "its body").await;
    let mut history = Unit::new();
    history.write_exactly(1, DELETE, vec![5.into()]);
    store.write(history).await?;
    assert_eq!(one_int(&store, "SELECT COUNT(*) FROM recipient").await?, 4);
    Ok(())
}

pub(super) async fn age_is_never_reset(place: Arc<dyn Place>) -> Result<(), StoreError> {
    let store = place.open().await?;
    store_message(&store, &["queued"]).await?;
    const YOUNGER: Sql = Sql::new("UPDATE recipient SET accepted_at = accepted_at + 1");
    assert_refused(&store, unit_of(YOUNGER, Vec::new()), "age").await;
    const OTHER: Sql = Sql::new("UPDATE recipient SET id = 7");
    assert_refused(&store, unit_of(OTHER, Vec::new()), "identity").await;
    Ok(())
}

pub(super) async fn a_claim_has_an_owner_and_an_end(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    store_message(&store, &["queued"]).await?;
    let claim = Facts::of("in_flight");
    let endless = Facts {
        claimed_until: Value::Null,
        ..claim.clone()
    };
    assert_impossible(&store, &endless, "a claim without an end").await;
    let nobody = Facts {
        claimed_by: Value::Null,
        ..claim.clone()
    };
    assert_impossible(&store, &nobody, "a claim by nobody").await;
    let idle = Facts {
        state: "queued",
        ..claim
    };
    assert_impossible(&store, &idle, "claimed, but not in flight").await;
    let silent = Facts {
        hold_reason: Value::Null,
        ..Facts::of("held")
    };
    assert_impossible(&store, &silent, "held without a reason").await;
    let nowhere = Facts {
        next_hop: "",
        ..Facts::of("queued")
    };
    assert_impossible(&store, &nowhere, "queued for nowhere").await;
    Ok(())
}
