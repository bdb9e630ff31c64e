//! The rule as a table, and the database's version of it.

use ground_store::{Query, Value};
use ground_world::World;

use super::*;

fn at(n: i64) -> Time {
    Time::from_millis(n)
}

fn check(waiting: Waiting, notify_at: Option<i64>, expires_at: i64, expected: i64) {
    let due = deadline(waiting, notify_at.map(at), at(expires_at));
    assert_eq!(due, at(expected), "{waiting:?} {notify_at:?} {expires_at}");
}

#[test]
fn the_deadline_is_the_first_thing_that_must_happen_and_never_after_the_end() {
    check(Waiting::Queued, None, 9, 9);
    check(Waiting::Queued, Some(5), 9, 5);
    check(Waiting::Queued, Some(20), 9, 9);
    check(Waiting::Categorizing { retry_at: at(3) }, Some(5), 9, 3);
    check(Waiting::Categorizing { retry_at: at(7) }, Some(5), 9, 5);
    check(Waiting::Categorizing { retry_at: at(20) }, None, 9, 9);
    check(
        Waiting::InFlight {
            claimed_until: at(3),
        },
        Some(5),
        9,
        3,
    );
    check(
        Waiting::InFlight {
            claimed_until: at(6),
        },
        Some(5),
        9,
        5,
    );
    check(
        Waiting::InFlight {
            claimed_until: at(20),
        },
        None,
        9,
        9,
    );
    check(Waiting::Held { alarm_at: at(3) }, Some(5), 9, 3);
    check(Waiting::Held { alarm_at: at(8) }, None, 9, 8);
    check(Waiting::Held { alarm_at: at(20) }, Some(20), 9, 9);
}

#[tokio::test(start_paused = true)]
async fn the_database_applies_the_same_rule() {
    let (world, _simulation) = World::simulated(1);
    let store = ground_store::contract::fresh(&world).await.unwrap();
    let text = concat!(
        "SELECT ",
        deadline_of_queued!(),
        ", ",
        deadline_with!("$1"),
        " FROM (SELECT CAST($2 AS BIGINT) AS notify_at, CAST($3 AS BIGINT) AS expires_at) AS times"
    );
    for own in [1, 5, 9, 10] {
        for notify in [None, Some(1), Some(5), Some(9), Some(10)] {
            for expires in [1, 5, 9] {
                let values = vec![Value::Int(own), notify.into(), Value::Int(expires)];
                let rows = store.read(Query::new(text, values)).await.unwrap();
                let held = Waiting::Held { alarm_at: at(own) };
                check(Waiting::Queued, notify, expires, rows[0].int(0).unwrap());
                check(held, notify, expires, rows[0].int(1).unwrap());
            }
        }
    }
}
