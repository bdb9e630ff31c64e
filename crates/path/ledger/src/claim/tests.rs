//! Who gets what, for how long.

use std::time::Duration;

use super::*;
use crate::fixture::{
    DAY, HOUR, book, categorizing, claimed, held, hop, queued, relayed, settlement,
};
use crate::{Settled, State, Step};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_claim_takes_the_oldest_first_and_groups_them_by_message() {
    let book = book().await;
    let (one, two) = (book.message([queued(), queued()]), book.message([queued()]));
    let expected = [one.id, two.id];
    book.ledger.accept(one).await.unwrap();
    book.pass(MINUTE).await;
    book.ledger.accept(two).await.unwrap();
    let jobs = book.claim().await;
    assert_eq!(
        jobs.iter().map(|job| job.message).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(jobs[0].recipients.len(), 2);
    assert_eq!(jobs[0].lease.until, book.now() + MINUTE);
    assert!(book.claim().await.is_empty(), "claimed twice");
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn new_mail_and_retries_both_get_a_share_and_neither_waits_for_room_the_other_leaves() {
    let book = book().await;
    let mut retries = Vec::new();
    for _ in 0..4 {
        retries.push(book.one(queued()).await);
    }
    for job in book.claim().await {
        let now = book.now();
        let later = Step::Deferred {
            retry_at: now + MINUTE,
            reply: "450 later".into(),
        };
        let mut settled = settlement(job.message, vec![(job.recipients[0].id, later)]);
        settled.attempt = Some(book.attempt());
        assert_eq!(book.ledger.settle(settled).await.unwrap(), Settled::Done);
    }
    assert!(book.claim().await.is_empty(), "tried before its time");
    book.pass(MINUTE).await;
    for _ in 0..4 {
        book.one(queued()).await;
    }
    let of = |jobs: &[Job]| {
        let ids = jobs
            .iter()
            .flat_map(|job| &job.recipients)
            .map(|one| one.id);
        ids.filter(|id| retries.contains(id)).count()
    };
    let first = book.ledger.claim(&hop(), 4, book.now()).await.unwrap();
    assert_eq!((first.len(), of(&first)), (4, 2));
    let rest = book.ledger.claim(&hop(), 100, book.now()).await.unwrap();
    assert_eq!((rest.len(), of(&rest)), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_queued_for_the_hop_and_not_past_its_lifetime_is_claimed() {
    let book = book().await;
    let births = [categorizing(), held(), claimed()];
    book.ledger.accept(book.message(births)).await.unwrap();
    let other = crate::Birth::Queued {
        next_hop: HopKey::mailbox(),
    };
    book.one(other).await;
    assert!(book.claim().await.is_empty());
    book.one(queued()).await;
    book.pass(4 * DAY).await;
    assert!(book.claim().await.is_empty(), "delivered past its lifetime");
}

#[tokio::test(start_paused = true)]
async fn a_released_claim_is_queued_as_it_was_before() {
    let book = book().await;
    let id = book.one(queued()).await;
    let before = book.row(id).await;
    book.claim().await;
    let reached = book.ledger.release(&[id]).await.unwrap();
    assert_eq!(
        reached,
        Reached {
            done: vec![id],
            escaped: vec![]
        }
    );
    assert_eq!(book.row(id).await, before);
    let again = book.ledger.release(&[id]).await.unwrap();
    assert_eq!(
        again,
        Reached {
            done: vec![],
            escaped: vec![id]
        }
    );
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn only_a_live_claim_is_renewed_and_not_long_past_the_lifetime() {
    let book = book().await;
    let id = book.one(claimed()).await;
    let mut renewals = 0;
    loop {
        book.pass(MINUTE / 2).await;
        let reached = book.ledger.renew(&[id]).await.unwrap();
        if reached.done.is_empty() {
            break;
        }
        renewals += 1;
        assert_eq!(book.row(id).await.claim.unwrap().until, book.now() + MINUTE);
        assert!(book.row(id).await.deadline_at.unwrap() <= book.now() + MINUTE);
    }
    assert!(
        (4 * DAY + HOUR).as_secs() / 30 - renewals <= 1,
        "renewed {renewals} times"
    );
    let id = book.one(claimed()).await;
    book.pass(2 * MINUTE).await;
    assert_eq!(book.ledger.renew(&[id]).await.unwrap().escaped, [id]);
}

#[tokio::test(start_paused = true)]
async fn a_stepped_wall_clock_ends_no_claim_of_ours() {
    let book = book().await;
    let id = book.one(claimed()).await;
    book.simulation.clock.step(3_600_000);
    assert_eq!(book.ledger.lost_claims().await.unwrap().found, 0);
    assert_eq!(book.ledger.renew(&[id]).await.unwrap().done, [id]);
    let job = settlement(book.row(id).await.message, vec![(id, relayed())]);
    assert_eq!(book.ledger.settle(job).await.unwrap(), Settled::Done);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_held_with_the_reason_and_stops_nobody_else() {
    let book = book().await;
    let (bad, good) = (book.one(queued()).await, book.one(queued()).await);
    let mut unit = Unit::new();
    unit.write(
        Sql::new("UPDATE recipient SET address = 'nonsense' WHERE id = $1"),
        vec![bad.into()],
    );
    book.ledger.store().write(unit).await.unwrap();
    let jobs = book.claim().await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].recipients[0].id, good);
    let held =
        "SELECT count(*) FROM recipient WHERE state = 'held' AND hold_reason LIKE 'damaged:%'";
    assert_eq!(book.number(held).await, 1);
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'damaged'")
            .await,
        1
    );
    assert_eq!(book.row(good).await.state, State::InFlight);
}
