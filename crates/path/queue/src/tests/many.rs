//! A hundred thousand recipients with times of their own, and one message that kills whoever tries it.

use std::collections::BTreeMap;

use super::*;

const RECIPIENTS: usize = 100_000;
const HOPS: usize = 5;
/// The times are spread by chance over this.
const SPREAD: Duration = minutes(120);
/// How late an attempt may begin: a poll, and its turn among those of the same moment.
const LATE: Duration = seconds(5);
const POISON_ATTEMPTS: u32 = 3;

/// Recipients of one message, who have one time and are one attempt; `POSTRIDER_TOGETHER=1` gives each a time of its own (two
/// minutes, optimized).
fn together() -> usize {
    let given = std::env::var("POSTRIDER_TOGETHER");
    given.map_or(100, |given| given.parse().expect("a number"))
}

fn domain(hop: usize) -> String {
    format!("p{hop}.test")
}

/// A message for many at one hop; every second one was tried before, and so stands in the line of retries.
async fn queued_at(house: &House, number: usize, subject: &'static str, due: Time) -> MessageId {
    let domain = domain(number % HOPS);
    let to = (0..together()).map(|n| format!("r{n}@{domain}"));
    let id = house
        .queued(Mail {
            to: to.collect(),
            hop: HopKey::mx(&domain),
            subject,
            ..mail("bo@peer.test")
        })
        .await;
    let tried = number % 2;
    let text = format!(
        "UPDATE recipient SET retry_at = {}, attempts = {tried} WHERE message = {}",
        due.as_millis(),
        id.key()
    );
    let mut unit = Unit::new();
    unit.write(ground_store::Sql::new(text.leak()), Vec::new());
    house.store.write(unit).await.unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_are_tried_in_due_order_while_one_poisons_its_worker() {
    let settings =
        format!("[queue]\npoll_interval = \"2s\"\npoison_attempts = {POISON_ATTEMPTS}\n");
    let mut house = house(&settings).await;
    for hop in 0..HOPS {
        house
            .simulation
            .dns
            .mx(&domain(hop), &[(10, "mx.peer.test")]);
    }
    house.peer(Script::default()).await;
    let start = house.ledger.now();
    let mut due = BTreeMap::new();
    for number in 0..RECIPIENTS / together() {
        let after = house.world.chance.below(SPREAD.as_millis() as u64);
        let at = start + minutes(10) + Duration::from_millis(after);
        due.insert(queued_at(&house, number, "", at).await.key(), at);
    }
    let poison = queued_at(&house, 0, "poison", start + minutes(30)).await;
    house.start();
    house.pass(minutes(10) + SPREAD + LATE).await;

    // Everybody, and nobody before his time or late.
    assert_eq!(house.in_state("relayed").await, RECIPIENTS as i64);
    let tried = house
        .rows("SELECT message, min(started_at), max(started_at), next_hop FROM attempt WHERE outcome = 'relayed' \
               GROUP BY message, next_hop ORDER BY min(started_at), message")
        .await;
    assert_eq!(tried.len(), RECIPIENTS / together());
    let mut latest: BTreeMap<String, Time> = BTreeMap::new();
    for row in tried {
        let at = due[&row.int(0).unwrap()];
        let began = [1, 2].map(|column| Time::from_millis(row.int(column).unwrap()));
        assert!(began[0] >= at, "tried {:?} early", at.since(began[0]));
        assert!(
            began[1].since(at) <= LATE,
            "tried {:?} late",
            began[1].since(at)
        );
        // In due order at each hop: nobody who was due before comes after.
        let last = latest.entry(row.text(3).unwrap().to_owned()).or_insert(at);
        assert!(last.since(at) <= LATE, "{:?} out of order", last.since(at));
        *last = (*last).max(at);
    }
    // The poison stands aside, with the stage, the error and the count.
    assert_eq!(house.in_state("held").await, together() as i64);
    let held = format!(
        "SELECT hold_reason, attempts FROM recipient WHERE message = {}",
        poison.key()
    );
    for row in house.rows(&held).await {
        let reason = row.text(0).unwrap();
        let blamed = format!("deliver: {POISON_ATTEMPTS} attempts in a row");
        assert!(reason.starts_with(&blamed), "{reason}");
        assert!(
            reason.contains("the attempt crashed: a poisoned message"),
            "{reason}"
        );
        assert_eq!(row.int(1).unwrap(), i64::from(POISON_ATTEMPTS));
    }
    let audit = house.ledger.audit().await.unwrap();
    assert_eq!((audit.difference, audit.orphans), (0, 0));
    // Nobody sweeps here: what is held waits for its notice.
    let wrong = |one: &&path_ledger::Finding| one.kind != path_ledger::FindingKind::Overdue;
    assert_eq!(audit.findings.iter().find(wrong), None);
}
