//! A claim that ends unsettled costs a lease, or a restart nothing at all.

use std::time::Duration;

use super::*;
use crate::fixture::{Book, book, claimed, queued, relayed, settlement};
use crate::{Act, Birth, Filter, HopKey, Ledger, Settled, State, Step};

const MINUTE: Duration = Duration::from_secs(60);

impl Book {
    /// How many beginnings are in the book then.
    async fn begin(&self, id: RecipientId) -> usize {
        self.ledger.begin(&[id]).await.unwrap().done.len()
    }
}

/// The outcome of each attempt, and what is said of it.
async fn history(book: &Book) -> Vec<(String, String)> {
    let text = "SELECT outcome, reply FROM attempt ORDER BY id";
    let rows = book.ledger.read(text, Vec::new()).await.unwrap();
    let text = |row: &Row, at| row.text(at).unwrap().to_owned();
    rows.iter()
        .map(|row| (text(row, 0), text(row, 1)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_restart_queues_at_once_what_was_in_flight_and_nobody_knows_its_outcome() {
    let mut book = book().await;
    let id = book.one(claimed()).await;
    let before = book.row(id).await;
    book.pass(MINUTE / 2).await;
    book.restart().await;
    let row = book.row(id).await;
    assert_eq!(
        (row.state, row.suspicion, row.attempts),
        (State::Queued, Some(0), 1)
    );
    assert_eq!(
        (row.retry_at, row.accepted_at),
        (before.retry_at, before.accepted_at)
    );
    assert_eq!(
        (row.expires_at, row.notify_at),
        (before.expires_at, before.notify_at)
    );
    assert_eq!(row.deadline_at, row.due());
    assert_eq!(
        history(&book).await,
        [(
            "unknown".to_owned(),
            "the claim of epoch 1 was lost, and nobody knows whether an attempt had begun; \
             whether the message got through is unknown"
                .to_owned()
        )]
    );
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'claim_lost'")
            .await,
        1
    );
    assert_eq!(book.ledger.downtime(), MINUTE / 2);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn a_hanging_task_costs_one_lease_and_no_restart() {
    let book = book().await;
    let id = book.one(claimed()).await;
    assert_eq!(book.ledger.lost_claims().await.unwrap().found, 0);
    book.pass(MINUTE).await;
    let lost = book.ledger.lost_claims().await.unwrap();
    assert_eq!(
        lost,
        LostClaims {
            found: 1,
            queued: 1,
            held: 0
        }
    );
    assert_eq!(book.row(id).await.state, State::Queued);
    assert_eq!(book.ledger.lost_claims().await.unwrap().found, 0);
}

#[tokio::test(start_paused = true)]
async fn poison_is_held_with_the_reason_and_everything_else_flows() {
    let mut book = book().await;
    let poison = book.one(queued()).await;
    book.claim().await;
    book.restart().await;
    for crash in 1..=5 {
        assert_eq!(book.claim().await.len(), 1);
        assert_eq!(book.begin(poison).await, 1);
        book.restart().await;
        assert_eq!(book.row(poison).await.suspicion, Some(crash));
        assert!(
            book.claim().await.is_empty(),
            "it waits for as long as a lease"
        );
        book.pass(MINUTE).await;
    }
    let row = book.row(poison).await;
    assert_eq!(row.state, State::Held);
    let reason = &row.hold.as_ref().unwrap().reason;
    let expected =
        "deliver: 5 attempts in a row began and never ended; the last: the attempt that began at ";
    assert!(reason.starts_with(expected), "{reason}");
    assert_eq!(row.deadline_at, row.due());
    assert!(book.claim().await.is_empty());
    book.one(queued()).await;
    assert_eq!(book.claim().await.len(), 1);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn mail_that_was_never_tried_is_never_poison() {
    let mut book = book().await;
    let id = book.one(claimed()).await;
    for _ in 0..10 {
        book.restart().await;
        let row = book.row(id).await;
        assert_eq!((row.state, row.suspicion), (State::Queued, Some(0)));
        assert_eq!(book.claim().await.len(), 1);
    }
    // The first loss alone is in doubt: later an attempt would have been written first.
    assert_eq!(history(&book).await.len(), 1);
    assert_eq!(book.row(id).await.attempts, 1);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_claim_for_a_mailbox_leaves_no_doubt() {
    let mut book = book().await;
    let next_hop = HopKey::mailbox();
    let id = book
        .one(Birth::Claimed {
            next_hop: next_hop.clone(),
        })
        .await;
    book.restart().await;
    let now = book.now();
    assert_eq!(
        book.ledger.claim(&next_hop, 10, now).await.unwrap().len(),
        1
    );
    assert_eq!(book.begin(id).await, 1);
    book.restart().await;
    let history = history(&book).await;
    assert_eq!(history.len(), 2);
    for (outcome, words) in &history {
        assert_eq!(outcome, "deferred");
        assert!(words.ends_with("; nothing was delivered"), "{words}");
    }
    assert_eq!(book.row(id).await.suspicion, Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_clears_the_suspicion() {
    let deferred = |book: &Book| Step::Deferred {
        retry_at: book.now(),
        reply: "450 later".into(),
    };
    let held = |_: &Book| Step::Held {
        reason: "damaged".into(),
        by: "deliver".into(),
    };
    let ends: [&dyn Fn(&Book) -> Step; 4] =
        [&deferred, &|_| Step::BackToQueue, &held, &|_| relayed()];
    for end in ends {
        let mut book = book().await;
        let id = book.one(claimed()).await;
        book.restart().await;
        book.claim().await;
        assert_eq!(book.begin(id).await, 1);
        let message = book.row(id).await.message;
        let settled = settlement(message, vec![(id, end(&book))]);
        assert_eq!(book.ledger.settle(settled).await.unwrap(), Settled::Done);
        assert_eq!(book.row(id).await.suspicion, None);
        book.assert_sound().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_beginning_counts_once_and_not_when_the_claim_is_given_back() {
    let mut book = book().await;
    let id = book.one(claimed()).await;
    book.restart().await;
    book.claim().await;
    assert_eq!(book.begin(id).await, 1);
    assert_eq!(
        book.begin(id).await,
        1,
        "its first answer may have been lost"
    );
    assert_eq!(book.row(id).await.suspicion, Some(1));
    book.ledger.release(&[id]).await.unwrap();
    assert_eq!(book.row(id).await.suspicion, Some(0));
    assert_eq!(book.begin(id).await, 0, "nobody has claimed it");
    book.claim().await;
    book.ledger.release(&[id]).await.unwrap();
    assert_eq!(book.row(id).await.suspicion, Some(0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_begins_only_while_its_claim_lives() {
    let book = book().await;
    let id = book.one(claimed()).await;
    book.pass(MINUTE).await;
    assert_eq!(book.begin(id).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_a_living_process_counts_at_once_and_says_what_it_was() {
    let book = book().await;
    let id = book.one(queued()).await;
    for crash in 1..=5 {
        book.pass(MINUTE).await;
        assert_eq!(book.claim().await.len(), 1);
        let lost = book
            .ledger
            .attempt_crashed(&[id], "index out of bounds\nmore")
            .await;
        assert_eq!(lost.unwrap().found, 1);
        assert_eq!(book.row(id).await.suspicion, Some(crash));
        assert!(
            book.claim().await.is_empty(),
            "it waits for as long as a lease"
        );
    }
    let row = book.row(id).await;
    assert_eq!(row.state, State::Held);
    assert_eq!(
        row.hold.unwrap().reason,
        "deliver: 5 attempts in a row began and never ended; the last: the attempt crashed: index out of bounds; \
         whether the message got through is unknown"
    );
    let lost = book.ledger.attempt_crashed(&[id], "again").await.unwrap();
    assert_eq!(lost, LostClaims::default(), "it is nobody's claim any more");
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn who_looks_at_poison_forgives_it() {
    let book = book().await;
    let id = book.one(queued()).await;
    for _ in 1..=5 {
        book.pass(MINUTE).await;
        book.claim().await;
        book.ledger.attempt_crashed(&[id], "bang").await.unwrap();
    }
    let filter = Filter::default();
    let preview = book.ledger.preview(&filter).await.unwrap();
    let acted = book
        .ledger
        .act(&preview, Act::Release, "ada", "mended")
        .await;
    assert_eq!(acted.unwrap().done, 1);
    assert_eq!(book.row(id).await.suspicion, Some(0));
}

#[tokio::test(start_paused = true)]
async fn another_nodes_claims_are_left_alone_while_it_lives_whatever_the_clocks_say() {
    let book = book().await;
    let (store, world) = (book.ledger.store().clone(), book.ledger.world().clone());
    let options = crate::LedgerOptions {
        node_name: "node2".into(),
        ..crate::fixture::options()
    };
    let id = book.one(claimed()).await;
    // As if the other had started with its clock in the future.
    book.simulation.clock.step(86_400_000);
    let other = Ledger::open(store, world, options).await.unwrap();
    assert!(other.epoch() > book.ledger.epoch());
    book.pass(MINUTE * 10).await;
    assert_eq!(other.lost_claims().await.unwrap().found, 0);
    assert_eq!(book.row(id).await.state, State::InFlight);
    assert_eq!(book.ledger.lost_claims().await.unwrap().queued, 1);
    assert_eq!(book.row(id).await.state, State::Queued);
}

#[tokio::test(start_paused = true)]
async fn more_claims_than_one_unit_takes_are_all_found_by_a_start() {
    let mut book = book().await;
    let births = std::iter::repeat_with(claimed).take(1203);
    book.ledger.accept(book.message(births)).await.unwrap();
    book.restart().await;
    assert_eq!(
        book.number("SELECT count(*) FROM recipient WHERE state = 'queued'")
            .await,
        1203
    );
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn the_node_that_was_replaced_learns_it_from_its_heartbeat() {
    let mut book = book().await;
    let old = book.ledger.clone();
    assert_eq!(old.heartbeat().await.unwrap(), crate::Heartbeat::Alive);
    book.restart().await;
    assert_eq!(old.heartbeat().await.unwrap(), crate::Heartbeat::Replaced);
    assert_eq!(
        book.ledger.heartbeat().await.unwrap(),
        crate::Heartbeat::Alive
    );
    assert!(book.ledger.new_id() > old.new_id());
}
