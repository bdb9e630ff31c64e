//! What is due, as tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use path_ledger::{Claim, Hold, HopKey, Recipient};
use wire_message::Address;
use wire_smtp::command::Notify;

use super::*;
use crate::tests::{HOUR, MINUTE, envelope};

const ACCEPTED: i64 = 1_800_000_000_000;

fn at(age: Duration) -> Time {
    Time::from_millis(ACCEPTED) + age
}

fn options() -> LedgerOptions {
    let settings = ground_settings::Settings::default();
    let mut options = LedgerOptions::from_settings("n", &settings);
    let hasty = Patience {
        lifetime: HOUR * 96,
        delay_notices: vec![HOUR * 6],
    };
    options.hop_patience = BTreeMap::from([(HopKey::via("hasty"), hasty)]);
    options
}

fn row(state: State) -> DueRow {
    let recipient = Recipient {
        id: path_ledger::RecipientId::from_key(1),
        message: path_ledger::MessageId::from_key(2),
        parent: None,
        address: Address::parse("k@b.example").unwrap(),
        orcpt: None,
        notify: None,
        state,
        next_hop: Some(HopKey::mx("b.example")),
        attempts: 1,
        suspicion: None,
        accepted_at: at(Duration::ZERO),
        retry_at: at(Duration::ZERO),
        notify_at: Some(at(HOUR)),
        deadline_at: Some(at(HOUR)),
        expires_at: Some(at(HOUR * 96)),
        claim: (state == State::InFlight).then(|| Claim {
            epoch: 1,
            until: at(HOUR * 2),
        }),
        hold: (state == State::Held).then(|| Hold {
            reason: "odd".into(),
            by: "ann".into(),
            alarm_at: at(HOUR * 24),
        }),
        last_reply: String::new(),
        last_peer: String::new(),
        end: None,
    };
    DueRow {
        recipient,
        envelope: Arc::new(envelope("jo@a.example", at(Duration::ZERO))),
        size: 10,
        body: None,
        hop: None,
    }
}

fn check(row: &DueRow, age: Duration, wanted: &Decision) {
    assert_eq!(
        &decide(row, at(age), &options()),
        wanted,
        "{:?} at {age:?}",
        row.recipient.state
    );
}

fn postpone(age: Duration) -> Decision {
    Decision::Postpone { deadline: at(age) }
}

const WAITING: [State; 3] = [State::Categorizing, State::Queued, State::Held];

#[test]
fn a_lifetime_ends_in_every_state_that_nobody_has_claimed() {
    for state in WAITING {
        check(&row(state), HOUR * 96, &Decision::Expire);
        check(&row(state), HOUR * 1000, &Decision::Expire);
    }
    // A claim is ended first, by its own end; then it is queued.
    let wanted = postpone(HOUR * 96);
    check(&row(State::InFlight), HOUR * 96, &wanted);
}

#[test]
fn each_notice_is_owed_at_its_age_and_missed_ones_come_as_one() {
    for state in WAITING.into_iter().chain([State::InFlight]) {
        for (age, next) in [
            (HOUR, Some(HOUR * 24)),
            (HOUR * 23, Some(HOUR * 24)),
            (HOUR * 24, None),
            (HOUR * 30, None),
        ] {
            let next_notify_at = next.map(at);
            check(&row(state), age, &Decision::DelayNotice { next_notify_at });
        }
    }
}

#[test]
fn a_connector_has_its_own_ages_of_notices() {
    let mut row = row(State::Queued);
    row.recipient.next_hop = Some(HopKey::via("hasty"));
    row.recipient.notify_at = Some(at(HOUR));
    let next_notify_at = Some(at(HOUR * 6));
    check(&row, HOUR * 2, &Decision::DelayNotice { next_notify_at });
}

#[test]
fn who_wants_no_notices_or_cannot_be_told_gets_none() {
    let mut silent = row(State::Queued);
    silent.recipient.notify = Some(Notify::Never);
    let mut nobody = row(State::Queued);
    Arc::make_mut(&mut nobody.envelope).sender = ReversePath::Null;
    for row in [silent, nobody] {
        check(&row, HOUR * 2, &postpone(HOUR * 96));
        check(&row, HOUR * 96, &Decision::Expire);
    }
}

#[test]
fn a_hold_rings_at_its_time_and_again_after_the_same_time() {
    let mut held = row(State::Held);
    held.recipient.notify_at = None;
    check(&held, HOUR * 23, &postpone(HOUR * 24));
    let next = at(HOUR * 25 + options().hold_alarm);
    check(&held, HOUR * 25, &Decision::HoldAlarm { next });
}

#[test]
fn what_is_not_the_watchs_to_move_is_looked_at_again_soon_and_no_sooner() {
    for (state, wanted) in [
        (State::Queued, HOUR),
        (State::Categorizing, MINUTE * 31),
        (State::InFlight, MINUTE * 31),
        (State::Held, HOUR),
    ] {
        check(&row(state), MINUTE * 30, &postpone(wanted));
    }
    let mut later = row(State::Categorizing);
    later.recipient.retry_at = at(MINUTE * 45);
    check(&later, MINUTE * 30, &postpone(MINUTE * 45));
}
