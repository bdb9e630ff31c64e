//! When a recipient is tried again: the schedule as tables.

use super::*;
use ground_settings::Queue;

const MINUTE: Duration = Duration::from_secs(60);

fn reply(text: &str) -> Reply {
    let (code, words) = text.split_once(' ').unwrap();
    Reply::plain(code.parse().unwrap(), words.to_owned())
}

fn minutes(trouble: Trouble, tries: u32, advice: Option<Duration>) -> u64 {
    let schedule = Queue::default().schedule();
    let failed = Failed {
        trouble,
        tries,
        advice,
        schedule: &schedule,
    };
    wait(failed, |wait| wait).as_secs() / 60
}

#[test]
fn waits_follow_the_schedule_and_then_its_last_step() {
    let waits: Vec<_> = (1..=9)
        .map(|tries| minutes(Trouble::Plain, tries, None))
        .collect();
    assert_eq!(waits, [1, 3, 5, 10, 15, 30, 60, 60, 60]);
}

#[test]
fn a_greylist_is_asked_often_and_a_full_mailbox_seldom() {
    let grey: Vec<_> = (1..=5)
        .map(|tries| minutes(Trouble::Greylisted, tries, None))
        .collect();
    assert_eq!(grey, [1, 3, 5, 5, 5]);
    assert_eq!(minutes(Trouble::Greylisted, 13, None), 60);
    let full: Vec<_> = (1..=7)
        .map(|tries| minutes(Trouble::MailboxFull, tries, None))
        .collect();
    assert_eq!(full, [30, 30, 30, 30, 30, 30, 60]);
}

#[test]
fn advice_is_honoured_within_its_bounds() {
    assert_eq!(minutes(Trouble::Plain, 7, Some(4 * MINUTE)), 4);
    assert_eq!(minutes(Trouble::Plain, 1, Some(600 * MINUTE)), 60);
    let schedule = Queue::default().schedule();
    let hasty = Failed {
        trouble: Trouble::Plain,
        tries: 1,
        advice: Some(Duration::ZERO),
        schedule: &schedule,
    };
    assert_eq!(wait(hasty, |wait| wait / 2), ADVICE_MIN);
}

#[test]
fn chance_never_makes_a_wait_longer_than_the_last_step() {
    let schedule = Queue::default().schedule();
    let failed = Failed {
        trouble: Trouble::Plain,
        tries: 50,
        advice: None,
        schedule: &schedule,
    };
    assert_eq!(wait(failed, |wait| wait * 2), 60 * MINUTE);
}

#[test]
fn a_retry_never_lies_beyond_the_lifetime() {
    let end = Time::from_millis(1000);
    assert_eq!(next_try(Time::EPOCH, MINUTE, end), end);
}

#[test]
fn advice_is_found_in_the_words_of_real_servers() {
    #[track_caller]
    fn check(text: &str, seconds: Option<u64>) {
        assert_eq!(advice(text), seconds.map(Duration::from_secs), "{text}");
    }
    check(
        "4.7.1 Greylisted, please try again in 300 seconds",
        Some(300),
    );
    check(
        "4.2.0 Recipient address rejected: Greylisted for 5 minutes (see http://x.test/)",
        Some(300),
    );
    check(
        "Greylisting in action, please come back in 00:04:30",
        Some(270),
    );
    check("4.7.1 try again after 90s.", Some(90));
    check("4.7.0 wait at least 2 hours", Some(7200));
    check("4.2.2 The email account is over quota", None);
    check("4.7.1 rejected for 25 reasons", None);
    check("in", None);
    check("4.7.1 in 99999999999999999999 seconds", None);
}

#[test]
fn a_reply_tells_its_kind_of_trouble() {
    assert_eq!(
        Trouble::of(&reply("450 4.7.1 try later")),
        Trouble::Greylisted
    );
    assert_eq!(Trouble::of(&reply("451 Greylisted")), Trouble::Greylisted);
    assert_eq!(Trouble::of(&reply("452 4.2.2 full")), Trouble::MailboxFull);
    assert_eq!(Trouble::of(&reply("451 4.3.0 oops")), Trouble::Plain);
}
