//! What fails in memory is replaced, and what memory loses is found: no restart of anything.

use ground_world::supervise::Failure;

use super::*;

const ONE_CONNECTION: &str = "[queue]\nretry_jitter = 0.0\nhop_initial_concurrency = 1\nhop_max_concurrency = 1\n\
     [watch]\nreconcile_interval = \"30s\"\n";

fn events() -> &'static str {
    "SELECT detail FROM event WHERE kind = 'reconciled' ORDER BY id"
}

impl House {
    fn forget(&self, recipient: i64) -> usize {
        let queue = self.queue.as_ref().unwrap();
        queue.forget(path_ledger::RecipientId::from_key(recipient))
    }

    async fn recipient_of(&self, message: MessageId) -> i64 {
        let key = message.key();
        self.number(&format!("SELECT id FROM recipient WHERE message = {key}"))
            .await
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_memory_loses_is_found_within_one_reconciler_interval_with_an_event() {
    let mut house = house(ONE_CONNECTION).await;
    let peer = house
        .peer(Script::default().first(1, "RCPT", Say::Nothing))
        .await;
    house.start();
    house.pass(seconds(1)).await;
    house.queued(mail("first@peer.test")).await;
    let second = house.queued(mail("second@peer.test")).await;
    house.pass(seconds(3)).await;
    let lost = house.recipient_of(second).await;
    assert_eq!(house.in_state("in_flight").await, 2);
    assert_eq!(house.forget(lost), 1);
    house.pass(seconds(32)).await;
    let state = format!("SELECT state FROM recipient WHERE id = {lost}");
    let about = format!("SELECT count(*) FROM event WHERE kind = 'reconciled' AND recipient = {lost}");
    assert_eq!(house.number(&about).await, 1);
    let detail = house.text(events()).await;
    assert!(detail.contains("nothing in memory accounted for"), "{detail}");
    // It is due, and claimed again at once.
    house.pass(minutes(12)).await;
    house.until(2, "relayed", minutes(10)).await;
    assert_eq!(house.text(&state).await, "relayed");
    assert_eq!(peer.heard().messages.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_claim_somebody_else_has_ended_is_dropped_from_memory() {
    let mut house = house(ONE_CONNECTION).await;
    house
        .peer(Script::default().first(1, "RCPT", Say::Nothing))
        .await;
    house.start();
    house.pass(seconds(1)).await;
    house.queued(mail("first@peer.test")).await;
    let second = house.queued(mail("second@peer.test")).await;
    house.pass(seconds(3)).await;
    let id = house.recipient_of(second).await;
    let mut unit = Unit::new();
    unit.write(
        ground_store::Sql::new(
            "UPDATE recipient SET state = 'held', claimed_by = NULL, claimed_until = NULL, hold_reason = 'x', held_by = 'y', \
             hold_alarm_at = expires_at, deadline_at = expires_at WHERE id = $1",
        ),
        vec![id.into()],
    );
    house.store.write(unit).await.unwrap();
    house.pass(seconds(32)).await;
    let detail = house.text(events()).await;
    assert!(detail.contains("its claim was not ours"), "{detail}");
    assert_eq!(house.forget(id), 0, "it is not there any more");
}

#[tokio::test(start_paused = true)]
async fn in_quiet_and_under_load_the_reconciler_finds_nothing() {
    let mut house = house("[watch]\nreconcile_interval = \"100ms\"\n").await;
    house.peer(Script::default()).await;
    house.start();
    for n in 0..300 {
        let to = format!("r{n}@peer.test");
        if house.handed(mail(&to)).await.is_none() {
            house.queued(mail(&to)).await;
        }
    }
    house.until(300, "relayed", minutes(1)).await;
    house.pass(seconds(10)).await;
    assert_eq!(house.rows(events()).await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_in_memory_past_its_lifetime_goes_back_at_once() {
    let text = format!("{ONE_CONNECTION}[timeouts]\nrcpt = \"1h\"\n");
    let text = text.replace("[queue]\n", "[queue]\nlifetime = \"10m\"\ndelay_notice = []\n");
    let mut house = house(&text).await;
    house
        .peer(Script::default().first(1, "RCPT", Say::Nothing))
        .await;
    house.start();
    house.pass(seconds(1)).await;
    house.queued(mail("first@peer.test")).await;
    let second = house.queued(mail("second@peer.test")).await;
    house.pass(minutes(10) + seconds(60)).await;
    let id = house.recipient_of(second).await;
    let state = format!("SELECT state FROM recipient WHERE id = {id}");
    assert_eq!(house.text(&state).await, "queued");
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_that_panics_or_hangs_is_replaced_and_mail_flows() {
    let mut house = house(NO_JITTER).await;
    house.peer(Script::default()).await;
    house.start();
    house.pass(seconds(1)).await;
    for (n, mishap) in [Mishap::Panic, Mishap::Hang].into_iter().enumerate() {
        crate::tests::meet_next(Spot::Scheduler, mishap);
        house.pass(minutes(3)).await;
        house.queued(mail("bo@peer.test")).await;
        let relayed = i64::try_from(n).unwrap() + 1;
        house.until(relayed, "relayed", seconds(10)).await;
    }
    let failures: Vec<_> = house.supervisor.replaced();
    let failures: Vec<_> = failures.iter().map(|one| (one.task.as_str(), one.failure)).collect();
    let hung = Failure::Hung("asking what is due");
    assert_eq!(failures, [("scheduler", Failure::Ended), ("scheduler", hung)]);
}
