//! What must be true at the end, whatever died meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::letter::{KEEPER, Letter};
use crate::load::{Accepted, Told};
use crate::server::Home;
use crate::sink::{Copies, Sink};
use crate::stage::Stage;
use crate::{LOOK, PATIENCE};

/// What was found, and is as it should be.
pub(crate) struct Found {
    /// Messages that got 250.
    pub(crate) accepted: usize,
    /// Recipients at the sink.
    pub(crate) elsewhere: usize,
    /// Copies too many, each where the history says that nobody knew.
    pub(crate) duplicates: usize,
}

/// Looks at everything, once all has come to its end.
pub(crate) fn reach(home: &Home, told: &Told, sink: &Sink) -> Found {
    let accepted = told.accepted.lock().expect("whole").clone();
    let wrong = told.wrong.lock().expect("whole").clone();
    assert_eq!(wrong, Vec::<String>::new(), "replies no client should get");
    assert_eq!(sink.torn(), Vec::<String>::new(), "letters that came torn");
    let copies = sink.copies();
    nothing_is_lost(&accepted, &copies);
    mailboxes_hold_each_once(home, &accepted);
    let duplicates = duplicates_are_marked(home, &copies);
    the_book_agrees(home, &copies);
    Found {
        accepted: accepted.len(),
        elsewhere: copies.len(),
        duplicates,
    }
}

/// Waits until nothing is in transit any more.
pub(crate) fn everything_ends(home: &Home, stage: &Stage, kills: u64) {
    let deadline = Instant::now() + PATIENCE + Duration::from_secs(kills);
    while home.audit().count("in_transit") > 0 {
        if Instant::now() > deadline {
            let left = home.ask(&["queue", "list", "--limit", "20"]);
            panic!("these are not at their end: {left:#?}");
        }
        stage.pause(LOOK);
    }
}

fn nothing_is_lost(accepted: &[Accepted], copies: &Copies) {
    let mut lost = Vec::new();
    for Accepted { id, letter } in accepted {
        for recipient in letter.recipients() {
            if recipient != KEEPER && !copies.contains_key(&(letter.serial, recipient.clone())) {
                lost.push(format!("{id} to {recipient}"));
            }
        }
    }
    assert_eq!(
        lost,
        Vec::<String>::new(),
        "got 250, and are neither at the sink nor listed"
    );
}

/// Insert and final state are one transaction: exactly once, whatever died.
fn mailboxes_hold_each_once(home: &Home, accepted: &[Accepted]) {
    let mut held: BTreeMap<String, usize> = BTreeMap::new();
    for mail in home.ask(&["mail", "list", KEEPER]) {
        *held.entry(text(&mail, "id").to_owned()).or_default() += 1;
    }
    let twice: Vec<_> = held.iter().filter(|(_, copies)| **copies > 1).collect();
    assert!(twice.is_empty(), "twice in the mailbox: {twice:?}");
    let here = |one: &&Accepted| one.letter.recipients().iter().any(|to| to == KEEPER);
    for Accepted { id, .. } in accepted.iter().filter(here) {
        assert!(
            held.contains_key(id),
            "{id} got 250, and is not in the mailbox"
        );
    }
}

/// A second copy comes only where the history says that nobody knows about the first. Returns how many copies too many.
fn duplicates_are_marked(home: &Home, copies: &Copies) -> usize {
    let mut duplicates = 0;
    for ((serial, recipient), copies) in copies.iter().filter(|(_, copies)| **copies > 1) {
        let message_id = Letter { serial: *serial }.message_id();
        let stories = home.ask(&["trace", &message_id]);
        let unknown: usize = stories
            .iter()
            .map(|story| unknown_attempts(story, recipient))
            .sum();
        assert!(
            unknown >= copies - 1,
            "{copies} copies, {unknown} unknown: {stories:#?}"
        );
        duplicates += copies - 1;
    }
    duplicates
}

fn unknown_attempts(story: &Value, recipient: &str) -> usize {
    let to_it = list(story, "recipients")
        .iter()
        .filter(|one| text(one, "address") == recipient);
    let attempts = to_it.flat_map(|one| list(one, "attempts"));
    attempts
        .filter(|attempt| text(attempt, "outcome") == "unknown")
        .count()
}

/// What was accepted without our hearing the 250 counts too: the book and the sink know the same recipients.
fn the_book_agrees(home: &Home, copies: &Copies) {
    let audit = home.audit();
    let mailed = home.ask(&["mail", "list", KEEPER]).len() as u64;
    assert_eq!(audit.count("relayed"), copies.len() as u64);
    assert_eq!(audit.count("delivered"), mailed);
    assert_eq!(audit.count("accepted"), copies.len() as u64 + mailed);
    assert_eq!(audit.count("orphans"), 0);
}

pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
