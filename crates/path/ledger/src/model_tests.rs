//! The model: every state against everything that can happen, in the real book. `docs/states.md` is what must come out.

use std::fmt::Write;
use std::time::Duration;

use ground_store::{Sql, StoreError, Unit};
use wire_message::ReversePath;

use crate::fixture::{
    Book, DAY, address, book, categorizing, claimed, held, hop, queued, relayed, settlement,
};
use crate::{
    Act, Birth, DueRow, Filter, LedgerError, MessageId, NewRecipient, Recipient, RecipientId,
    Return, RouteResult, Routed, Settled, State, Step, Sweep, Swept, Unrouted,
};

mod lives;

/// A lease, and more.
const A_LEASE: Duration = Duration::from_secs(61);

/// Where a recipient can stand. A hold remembers whether there was a way already; that is all there is to know besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    In(State),
    /// Held, and it had a way before.
    HeldOnItsWay,
}

/// The columns of the table: where something can happen yet.
const PLACES: [Place; 5] = [
    Place::In(State::Categorizing),
    Place::In(State::Queued),
    Place::In(State::InFlight),
    Place::In(State::Held),
    Place::HeldOnItsWay,
];

impl Place {
    fn state(self) -> State {
        match self {
            Place::In(state) => state,
            Place::HeldOnItsWay => State::Held,
        }
    }
}

/// A recipient brought to a place as mail comes there.
async fn placed(book: &mut Book, place: Place) -> RecipientId {
    let settle = |step| (claimed(), Some(step));
    let (birth, step) = match place {
        Place::In(State::Categorizing) => (categorizing(), None),
        Place::In(State::Queued) => (queued(), None),
        Place::In(State::InFlight) => (claimed(), None),
        Place::In(State::Held) => (held(), None),
        Place::HeldOnItsWay => settle(odd()),
        Place::In(State::Delivered) => settle(delivered()),
        Place::In(State::Relayed) => settle(relayed()),
        Place::In(State::Expanded) => (
            Birth::Expanded {
                cause: "alias".into(),
            },
            None,
        ),
        Place::In(State::Returned) => settle(returned()),
        Place::In(State::Discarded) => settle(spam()),
        Place::In(State::DeadLetter) => settle(dead_letter()),
    };
    let id = book.one(birth).await;
    if let Some(step) = step {
        assert!(settle_with(book, &book.row(id).await, step).await);
    }
    assert_eq!(book.row(id).await.state, place.state());
    id
}

crate::words! {
    /// Everything that can happen to a recipient after its acceptance.
    pub enum Operation {
        /// The directory has spoken: it has a way.
        RouteQueued = "route_queued",
        /// The directory could not say; to be asked again.
        RouteLater = "route_later",
        /// A rule holds it before it has a way.
        RouteHeld = "route_held",
        /// It stands for others.
        RouteExpanded = "route_expanded",
        /// Nobody by that name.
        RouteReturned = "route_returned",
        /// Nobody by that name, and nobody can be told.
        RouteDeadLetter = "route_dead_letter",
        /// A rule drops it.
        RouteDiscarded = "route_discarded",
        /// The queue takes it for a lease.
        Claim = "claim",
        /// The queue takes it, and its row cannot be read.
        ClaimDamaged = "claim_damaged",
        /// The queue makes its claim last.
        Renew = "renew",
        /// The queue writes that an attempt at a suspect begins.
        Begin = "begin",
        /// The queue gives it back untried.
        GiveBack = "give_back",
        /// The attempt put it into a mailbox.
        SettleDelivered = "settle_delivered",
        /// The attempt handed it to another server.
        SettleRelayed = "settle_relayed",
        /// The attempt met a temporary refusal of it.
        SettleDeferred = "settle_deferred",
        /// The attempt did not come to it.
        SettleBackToQueue = "settle_back_to_queue",
        /// The attempt met a refusal for good.
        SettleReturned = "settle_returned",
        /// The attempt met a refusal for good, and nobody can be told.
        SettleDeadLetter = "settle_dead_letter",
        /// The attempt found a damaged body, or a rule that holds.
        SettleHeld = "settle_held",
        /// A rule dropped it at its attempt.
        SettleDiscarded = "settle_discarded",
        /// Its lease ended, and nobody had settled it.
        ClaimLost = "claim_lost",
        /// Its attempt crashed in a node that lives.
        Crash = "crash",
        /// Its attempts crash again and again.
        Poison = "poison",
        /// The node that has it starts anew, in a new epoch.
        Restart = "restart",
        /// An operator wants it tried now.
        Retry = "retry",
        /// An operator holds it.
        Hold = "hold",
        /// An operator ends a hold.
        Release = "release",
        /// An operator sends it back.
        Return = "return",
        /// An operator sends it back, and it has no sender.
        ReturnUntold = "return_untold",
        /// An operator drops it.
        Discard = "discard",
        /// An operator names another way.
        Reroute = "reroute",
        /// An operator has it categorized and routed anew.
        RerouteAnew = "reroute_anew",
        /// Its lifetime has ended.
        Expire = "expire",
        /// Its lifetime has ended, and it has no sender.
        ExpireUntold = "expire_untold",
        /// The late policy returns it.
        LateReturn = "late_return",
        /// The late policy holds it.
        LateHold = "late_hold",
        /// Its sender is told that it still waits.
        DelayNotice = "delay_notice",
        /// Its hold has reached its alarm time.
        HoldAlarm = "hold_alarm",
        /// The watch looks again later.
        Postpone = "postpone",
        /// Its row, or its message's, cannot be read.
        Damage = "damage",
        /// Its row cannot be read, and its lifetime has ended.
        DamageExpired = "damage_expired",
    }
}

fn delivered() -> Step {
    let reply = "250 fine".into();
    Step::Delivered { reply }
}

fn returned() -> Step {
    let cause = "550 no".into();
    Step::Returned { cause }
}

fn dead_letter() -> Step {
    let cause = "550 no".into();
    Step::DeadLetter { cause }
}

fn odd() -> Step {
    Step::Held {
        reason: "odd".into(),
        by: "rule".into(),
    }
}

fn spam() -> Step {
    Step::Discarded {
        cause: "spam".into(),
        actor: "rule".into(),
    }
}

async fn settle_with(book: &Book, row: &Recipient, step: Step) -> bool {
    let settled = book
        .ledger
        .settle(settlement(row.message, vec![(row.id, step)]));
    settled.await.unwrap() == Settled::Done
}

fn expanded() -> Routed {
    Routed::Expanded {
        cause: "group".into(),
        children: vec![NewRecipient {
            address: address("child@there.test"),
            orcpt: None,
            notify: None,
            parent: None,
            birth: queued(),
        }],
    }
}

async fn route(book: &Book, recipient: Recipient, to: Routed) -> bool {
    let unrouted = Unrouted {
        recipient,
        envelope: book.message([]).envelope.into(),
        size: 0,
        body: None,
    };
    let routed = book.ledger.route(&unrouted, to, Vec::new());
    routed.await.unwrap() == RouteResult::Done
}

/// Whether it has a sender who can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    Somebody,
    Nobody,
}

async fn act(book: &Book, id: RecipientId, act: Act, sender: Sender) -> bool {
    let filter = Filter {
        ids: vec![MessageId::from_key(id.key())],
        ..Filter::default()
    };
    let mut preview = book.ledger.preview(&filter).await.unwrap();
    if sender == Sender::Nobody {
        preview.rows.iter_mut().for_each(|row| row.sender.clear());
    }
    let result = book.ledger.act(&preview, act, "ann", "because");
    result.await.unwrap().done == 1
}

fn given_back(id: RecipientId, sender: Sender) -> Act {
    let notices = match sender {
        Sender::Nobody => Vec::new(),
        Sender::Somebody => vec![Return {
            recipients: vec![id],
            notice: None,
        }],
    };
    Act::Return { notices }
}

async fn sweep(book: &Book, recipient: Recipient, sweep: Sweep, sender: Sender) -> bool {
    let mut envelope = book.message([]).envelope;
    if sender == Sender::Nobody {
        envelope.sender = ReversePath::Null;
    }
    let due = DueRow {
        envelope: envelope.into(),
        recipient,
        size: 0,
        body: None,
        hop: None,
    };
    match book.ledger.sweep(&[due], sweep).await {
        Ok(swept) => swept == Swept::Done,
        Err(LedgerError::Mixed(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

fn expiry() -> Sweep {
    Sweep::Expire {
        cause: "its lifetime ended".into(),
        notices: Vec::new(),
    }
}

async fn write(book: &Book, text: String) -> Result<(), StoreError> {
    let mut unit = Unit::new();
    unit.write(Sql::new(text.leak()), Vec::new());
    book.ledger.store().write(unit).await.map(drop)
}

/// A claim of a row whose address is no address. What is wrong is mended again, so that the row can be looked at.
async fn claim_damaged(book: &Book, row: &Recipient) -> bool {
    let address = |text: &str| {
        let id = row.id.key();
        write(
            book,
            format!("UPDATE recipient SET address = '{text}' WHERE id = {id}"),
        )
    };
    let before = (row.state, row.claim);
    if address("no address").await.is_err() {
        return false;
    }
    drop(book.claim().await);
    address(&row.address.to_string()).await.unwrap();
    let after = book.row(row.id).await;
    (after.state, after.claim) != before
}

async fn damage(book: &Book, id: RecipientId) -> bool {
    let before = book.row(id).await;
    let error = StoreError::Damaged("an odd octet".into());
    book.ledger.damaged(id, &error).await;
    book.row(id).await != before
}

async fn crash(book: &Book, id: RecipientId, times: u32) -> bool {
    for n in 0..times {
        if n > 0 {
            book.pass(A_LEASE).await;
            book.claim().await;
        }
        let crashed = book.ledger.attempt_crashed(&[id], "a defect").await;
        if crashed.unwrap().found == 0 {
            return false;
        }
    }
    true
}

/// Does it to one recipient; whether it was let.
async fn operate(book: &mut Book, operation: Operation, id: RecipientId) -> bool {
    use Operation as Op;
    use Sender::{Nobody, Somebody};
    let row = book.row(id).await;
    let cause = || "in the end".to_owned();
    match operation {
        Op::RouteQueued => route(book, row, Routed::Queued { next_hop: hop() }).await,
        Op::RouteLater => {
            let later = Routed::Later {
                retry_at: book.now() + A_LEASE,
                reason: cause(),
            };
            route(book, row, later).await
        }
        Op::RouteHeld => {
            let by = "rule".into();
            let reason = cause();
            route(book, row, Routed::Held { reason, by }).await
        }
        Op::RouteExpanded => route(book, row, expanded()).await,
        Op::RouteReturned => route(book, row, Routed::Returned { cause: cause() }).await,
        Op::RouteDeadLetter => route(book, row, Routed::DeadLetter { cause: cause() }).await,
        Op::RouteDiscarded => {
            let actor = "rule".into();
            let cause = cause();
            route(book, row, Routed::Discarded { cause, actor }).await
        }
        Op::Claim => {
            let jobs = book.claim().await;
            jobs.iter()
                .any(|job| job.recipients.iter().any(|one| one.id == id))
        }
        Op::ClaimDamaged => claim_damaged(book, &row).await,
        Op::Renew => !book.ledger.renew(&[id]).await.unwrap().done.is_empty(),
        Op::Begin => !book.ledger.begin(&[id]).await.unwrap().done.is_empty(),
        Op::GiveBack => !book.ledger.release(&[id]).await.unwrap().done.is_empty(),
        Op::SettleDelivered => settle_with(book, &row, delivered()).await,
        Op::SettleRelayed => settle_with(book, &row, relayed()).await,
        Op::SettleBackToQueue => settle_with(book, &row, Step::BackToQueue).await,
        Op::SettleReturned => settle_with(book, &row, returned()).await,
        Op::SettleDeadLetter => settle_with(book, &row, dead_letter()).await,
        Op::SettleHeld => settle_with(book, &row, odd()).await,
        Op::SettleDiscarded => settle_with(book, &row, spam()).await,
        Op::SettleDeferred => {
            let later = Step::Deferred {
                retry_at: book.now() + A_LEASE,
                reply: "450 later".into(),
            };
            settle_with(book, &row, later).await
        }
        Op::ClaimLost => {
            book.pass(A_LEASE).await;
            let in_flight = row.state == State::InFlight;
            book.ledger.lost_claims().await.unwrap().found > 0 && in_flight
        }
        Op::Crash => crash(book, id, 1).await,
        Op::Poison => {
            let times = book.ledger.options().poison_attempts;
            crash(book, id, times).await
        }
        Op::Restart => {
            book.restart().await;
            row.state == State::InFlight
        }
        Op::Retry => act(book, id, Act::Retry, Somebody).await,
        Op::Hold => act(book, id, Act::Hold, Somebody).await,
        Op::Release => act(book, id, Act::Release, Somebody).await,
        Op::Return => act(book, id, given_back(id, Somebody), Somebody).await,
        Op::ReturnUntold => act(book, id, given_back(id, Nobody), Nobody).await,
        Op::Discard => act(book, id, Act::Discard, Somebody).await,
        Op::Reroute => {
            let next_hop = Some(hop());
            act(book, id, Act::Reroute { next_hop }, Somebody).await
        }
        Op::RerouteAnew => act(book, id, Act::Reroute { next_hop: None }, Somebody).await,
        Op::Expire => sweep(book, row, expiry(), Somebody).await,
        Op::ExpireUntold => sweep(book, row, expiry(), Nobody).await,
        Op::LateReturn => {
            let back = Sweep::ReturnLate {
                cause: cause(),
                notices: Vec::new(),
            };
            sweep(book, row, back, Somebody).await
        }
        Op::LateHold => {
            let hold = Sweep::Hold {
                reason: cause(),
                by: "late policy".into(),
            };
            sweep(book, row, hold, Somebody).await
        }
        Op::DelayNotice => {
            let notice = Sweep::DelayNotice {
                notices: Vec::new(),
                next_notify_at: None,
            };
            sweep(book, row, notice, Somebody).await
        }
        Op::HoldAlarm => {
            let next = book.now() + DAY;
            sweep(book, row, Sweep::HoldAlarm { next }, Somebody).await
        }
        Op::Postpone => {
            let deadline = book.now() + A_LEASE;
            sweep(book, row, Sweep::Postpone { deadline }, Somebody).await
        }
        Op::Damage => damage(book, id).await,
        Op::DamageExpired => {
            book.pass(DAY * 5).await;
            damage(book, id).await
        }
    }
}

/// Where it takes a recipient; `None` when it is refused, and then nothing has changed.
async fn outcome(book: &mut Book, operation: Operation, place: Place) -> Option<State> {
    let what = format!("{operation} of {place:?}");
    let id = placed(book, place).await;
    let before = book.row(id).await;
    let let_through = operate(book, operation, id).await;
    let after = book.row(id).await;
    // Of whatever is let: ages stand, and the alarm clock is the one that the rule asks for.
    let ages = |row: &Recipient| (row.accepted_at, row.expires_at);
    assert_eq!(ages(&after), ages(&before), "{what}");
    assert!(after.deadline_at <= after.expires_at, "{what}");
    let postponed = operation == Operation::Postpone && let_through;
    assert!(postponed || after.deadline_at == after.due(), "{what}");
    if !let_through {
        assert_eq!(after, before, "{what}");
        return None;
    }
    Some(after.state)
}

const FINAL: [State; 6] = [
    State::Delivered,
    State::Relayed,
    State::Expanded,
    State::Returned,
    State::Discarded,
    State::DeadLetter,
];

/// The table as the manual has it, by doing it all.
async fn table() -> (String, Vec<Vec<Option<State>>>) {
    let mut text = String::from(
        "| what happens | categorizing | queued | in flight | held | held on its way | final | |\n|---|---|---|---|---|---|---|---|\n",
    );
    let mut moves = Vec::new();
    for operation in Operation::ALL {
        let (mut book, mut row) = (book().await, Vec::new());
        write!(text, "| `{operation}` |").unwrap();
        for place in PLACES {
            let to = outcome(&mut book, *operation, place).await;
            write!(text, " {} |", to.map_or("-", State::word)).unwrap();
            row.push(to);
        }
        for state in FINAL {
            let refused = outcome(&mut book, *operation, Place::In(state)).await;
            assert_eq!(refused, None, "{operation} of {state}: final is final");
        }
        writeln!(text, " - | {} |", operation.meaning()).unwrap();
        moves.push(row);
    }
    (text, moves)
}

#[tokio::test(start_paused = true)]
async fn the_manual_of_the_states_is_what_the_book_does() {
    let (table, moves) = table().await;
    for (column, place) in PLACES.iter().enumerate() {
        let leaves = |row: &Vec<Option<State>>| row[column].is_some_and(|to| to != place.state());
        assert!(moves.iter().any(leaves), "{place:?} is a sink");
        let ends = |row: &Vec<Option<State>>| row[column].is_some_and(State::is_final);
        assert!(moves.iter().any(ends), "{place:?} has no end");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/states.md");
    let manual = std::fs::read_to_string(path).expect("docs/states.md is there");
    assert!(
        manual.contains(&table),
        "docs/states.md is not what the book does; its table must be:\n\n{table}"
    );
}

/// Each operator verb that should apply to a place does, and the others do not.
#[tokio::test(start_paused = true)]
async fn an_operator_can_end_every_wait_but_an_attempt_under_way() {
    for place in PLACES {
        for verb in [Operation::Return, Operation::Discard, Operation::Reroute] {
            let moved = outcome(&mut book().await, verb, place).await;
            let waits = place != Place::In(State::InFlight);
            assert_eq!(moved.is_some(), waits, "{verb} of {place:?}");
        }
    }
}

/// A hand in the database, with no regard for what it means.
#[tokio::test(start_paused = true)]
async fn the_database_itself_refuses_what_no_state_may_be() {
    let dressed = "claimed_by = NULL, claimed_until = NULL, hold_reason = NULL, held_by = NULL, hold_alarm_at = NULL, \
         deadline_at = expires_at, finished_at = NULL, cause = NULL, actor = NULL";
    for from in FINAL {
        for to in State::ALL {
            let mut book = book().await;
            let id = placed(&mut book, Place::In(from)).await.key();
            for columns in ["", &format!(", {dressed}")] {
                let text = format!("UPDATE recipient SET state = '{to}'{columns} WHERE id = {id}");
                let refused = write(&book, text).await.unwrap_err().to_string();
                assert!(
                    refused.contains("final is final"),
                    "{from} to {to}: {refused}"
                );
            }
        }
    }
    for place in PLACES {
        let mut book = book().await;
        let id = placed(&mut book, place).await.key();
        for to in State::ALL.iter().filter(|to| **to != place.state()) {
            // What the states have in common: a hold, a claim, an end, a way. Nobody changes the word alone, except
            // between two that need the same.
            let alike = matches!((place, to), (Place::In(State::Queued), State::Categorizing));
            let text = format!("UPDATE recipient SET state = '{to}' WHERE id = {id}");
            let done = write(&book, text).await;
            assert_eq!(done.is_ok(), alike, "{place:?} to {to}: {done:?}");
            if alike {
                let back = format!("UPDATE recipient SET state = 'queued' WHERE id = {id}");
                write(&book, back).await.unwrap();
            }
        }
        for refused in [
            "UPDATE recipient SET state = 'lost'",
            "UPDATE recipient SET deadline_at = NULL",
            "UPDATE recipient SET expires_at = NULL",
            "UPDATE recipient SET deadline_at = expires_at + 1",
            "UPDATE recipient SET accepted_at = accepted_at + 1",
            "UPDATE recipient SET finished_at = 1",
            "UPDATE recipient SET begun_at = 1",
            "DELETE FROM recipient",
        ] {
            let text = format!("{refused} WHERE id = {id}");
            assert!(write(&book, text).await.is_err(), "{place:?}: {refused}");
        }
        book.assert_sound().await;
    }
}
