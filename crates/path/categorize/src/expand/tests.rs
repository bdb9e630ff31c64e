//! The expansion's promises: a table of directories, and any directory at all.

use std::collections::BTreeMap;

use ground_directory::AccountId;
use proptest::prelude::*;

use super::*;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn user(n: usize) -> Address {
    address(&format!("u{n}@here.test"))
}

fn mailbox(text: &str, id: i64) -> Found {
    let account = Account {
        id: AccountId(id),
        address: address(text),
        quota: None,
    };
    let via = Via::Exact;
    Found::Mailbox { account, via }
}

fn alias(targets: &[&str]) -> Found {
    Found::Alias {
        targets: targets.iter().map(|text| address(text)).collect(),
        via: Via::Exact,
    }
}

fn open() -> Relay {
    let reason = "a test".to_owned();
    Relay::Allowed { reason }
}

/// Answers every question from a table; who is not in it does not exist. Also says how many questions there were.
fn run(recipient: &Address, relay: Relay, table: &BTreeMap<String, Found>) -> (Decision, usize) {
    let mut expansion = Expansion::new(recipient.clone(), relay);
    let mut questions = 0;
    while let Some(asked) = expansion.question() {
        questions += 1;
        assert!(questions <= LOOKUPS_MAX, "it does not end");
        let found = table
            .get(&asked.key())
            .unwrap_or(&Found::NoSuchUser)
            .clone();
        expansion.answer(&found);
    }
    (expansion.decide(), questions)
}

/// The decision in short: its word, and its children with their ends.
fn told(decision: &Decision) -> String {
    let child = |child: &Child| {
        let end = match &child.end {
            End::Mailbox(account) => format!("mailbox {}", account.id.0),
            End::Remote => "remote".to_owned(),
            End::Nobody => "nobody".to_owned(),
        };
        format!("{} {end}", child.address)
    };
    match decision {
        Decision::Mailbox { account, .. } => format!("mailbox {}", account.id.0),
        Decision::Remote { .. } => "remote".to_owned(),
        Decision::Rewritten { to, .. } => format!("rewritten: {}", child(to)),
        Decision::Expanded { children, .. } => {
            let children: Vec<_> = children.iter().map(child).collect();
            format!("expanded: {}", children.join(", "))
        }
        Decision::Nobody { .. } => "nobody".to_owned(),
        Decision::NotHere { .. } => "not here".to_owned(),
        Decision::Misled { status, .. } => format!("misled {status}"),
        Decision::Later { .. } => "later".to_owned(),
    }
}

#[test]
fn aliases_are_followed_to_their_ends_each_end_once() {
    let catch_all = |text: &str| Found::CatchAll {
        target: address(text),
    };
    let table: BTreeMap<String, Found> = [
        ("jo@here.test", mailbox("jo@here.test", 1)),
        ("jo+x@here.test", mailbox("jo@here.test", 1)),
        ("ada@here.test", mailbox("ada@here.test", 2)),
        ("ada@far.test", Found::NotLocal),
        ("one@here.test", alias(&["jo@here.test"])),
        ("away@here.test", alias(&["ada@far.test"])),
        ("two@here.test", alias(&["jo@here.test", "ada@far.test"])),
        (
            "nested@here.test",
            alias(&["two@here.test", "one@here.test", "ada@here.test"]),
        ),
        (
            "twice@here.test",
            alias(&["jo@here.test", "jo+x@here.test"]),
        ),
        ("stray@here.test", catch_all("one@here.test")),
        (
            "self@here.test",
            alias(&["self@here.test", "ada@here.test"]),
        ),
        ("a@here.test", alias(&["b@here.test"])),
        ("b@here.test", alias(&["A@here.test"])),
        ("dead@here.test", alias(&["gone@here.test"])),
        ("half@here.test", alias(&["gone@here.test", "jo@here.test"])),
        (
            "none@here.test",
            alias(&["gone@here.test", "lost@here.test"]),
        ),
        ("postmaster@here.test", Found::NoPostmaster),
    ]
    .map(|(key, found)| (key.to_owned(), found))
    .into();
    for (recipient, wanted) in [
        ("jo@here.test", "mailbox 1"),
        ("ada@far.test", "remote"),
        ("gone@here.test", "nobody"),
        ("one@here.test", "rewritten: jo@here.test mailbox 1"),
        ("away@here.test", "rewritten: ada@far.test remote"),
        (
            "two@here.test",
            "expanded: jo@here.test mailbox 1, ada@far.test remote",
        ),
        (
            "nested@here.test",
            "expanded: ada@here.test mailbox 2, jo@here.test mailbox 1, ada@far.test remote",
        ),
        ("twice@here.test", "rewritten: jo@here.test mailbox 1"),
        ("stray@here.test", "rewritten: jo@here.test mailbox 1"),
        ("self@here.test", "rewritten: ada@here.test mailbox 2"),
        ("a@here.test", "misled 4.4.6"),
        ("dead@here.test", "nobody"),
        (
            "half@here.test",
            "expanded: gone@here.test nobody, jo@here.test mailbox 1",
        ),
        ("none@here.test", "nobody"),
        ("postmaster@here.test", "nobody"),
    ] {
        let (decision, _) = run(&address(recipient), open(), &table);
        assert_eq!(told(&decision), wanted, "{recipient}");
        assert!(
            decision.reason().contains('@'),
            "{recipient}: {}",
            decision.reason()
        );
    }
}

#[test]
fn the_reason_tells_the_whole_way() {
    let table: BTreeMap<String, Found> = [
        (
            "stray@here.test",
            Found::CatchAll {
                target: address("one@here.test"),
            },
        ),
        ("one@here.test", alias(&["jo@here.test"])),
        ("jo@here.test", mailbox("jo@here.test", 1)),
    ]
    .map(|(key, found)| (key.to_owned(), found))
    .into();
    let (decision, _) = run(&address("stray@here.test"), open(), &table);
    assert_eq!(
        decision.reason(),
        "stray@here.test is nobody, but its domain has a catch-all; one@here.test is an alias; jo@here.test is a mailbox here"
    );
}

#[test]
fn relay_is_asked_of_the_recipient_and_not_of_what_an_alias_leads_to() {
    let table: BTreeMap<String, Found> = [
        ("ada@far.test", Found::NotLocal),
        ("away@here.test", alias(&["ada@far.test"])),
    ]
    .map(|(key, found)| (key.to_owned(), found))
    .into();
    let closed = || Relay::Denied {
        reason: "a stranger".to_owned(),
    };
    let (decision, _) = run(&address("ada@far.test"), closed(), &table);
    assert_eq!(told(&decision), "not here");
    assert!(decision.reason().contains("a stranger"));
    let (decision, _) = run(&address("away@here.test"), closed(), &table);
    assert_eq!(told(&decision), "rewritten: ada@far.test remote");
}

/// u0 -> u1 -> ... -> u`length`, a mailbox.
fn chain(length: usize) -> BTreeMap<String, Found> {
    let mut table: BTreeMap<String, Found> = (0..length)
        .map(|n| (user(n).key(), alias(&[&user(n + 1).to_string()])))
        .collect();
    table.insert(user(length).key(), mailbox("end@here.test", 1));
    table
}

/// `recipient` -> `count` targets, mailboxes all.
fn fan(count: usize) -> BTreeMap<String, Found> {
    let targets: Vec<Address> = (1..=count).map(user).collect();
    let mut table: BTreeMap<String, Found> = targets
        .iter()
        .zip(1..)
        .map(|(target, id)| (target.key(), mailbox(&target.to_string(), id)))
        .collect();
    let via = Via::Exact;
    table.insert(user(0).key(), Found::Alias { targets, via });
    table
}

#[test]
fn each_limit_holds_to_the_last_step_and_not_one_further() {
    let (decision, questions) = run(&user(0), open(), &chain(DEPTH_MAX));
    assert!(told(&decision).starts_with("rewritten"), "{decision:?}");
    assert_eq!(questions, DEPTH_MAX + 1);
    let (decision, _) = run(&user(0), open(), &chain(DEPTH_MAX + 1));
    assert_eq!(told(&decision), "misled 4.4.6");
    assert!(
        decision.reason().contains("u10@here.test"),
        "{}",
        decision.reason()
    );

    let (decision, _) = run(&user(0), open(), &fan(CHILDREN_MAX));
    let Decision::Expanded { children, .. } = &decision else {
        panic!("{decision:?}");
    };
    assert_eq!(children.len(), CHILDREN_MAX);
    let (decision, _) = run(&user(0), open(), &fan(CHILDREN_MAX + 1));
    assert_eq!(told(&decision), "misled 4.2.4");

    // Many aliases that all end in one mailbox are few children and much work.
    let mut table = fan(LOOKUPS_MAX);
    for found in table.values_mut() {
        if let Found::Mailbox { account, .. } = found {
            account.id = AccountId(1);
        }
    }
    let (decision, questions) = run(&user(0), open(), &table);
    assert_eq!((told(&decision).as_str(), questions), ("misled 4.2.4", 1));
}

/// One of a few users is what: an alias of others, a mailbox, somebody else's, or nobody.
fn found() -> impl Strategy<Value = Found> {
    prop_oneof![
        4 => proptest::collection::vec(0..40_usize, 1..8).prop_map(|targets| Found::Alias {
            targets: targets.into_iter().map(user).collect(),
            via: Via::Exact,
        }),
        1 => (0..40_usize).prop_map(|target| Found::CatchAll { target: user(target) }),
        2 => (0..20_i64).prop_map(|id| mailbox("m@here.test", id)),
        1 => Just(Found::NotLocal),
        1 => Just(Found::NoSuchUser),
    ]
}

proptest! {
    #[test]
    fn any_directory_comes_to_an_end_that_keeps_its_promises(
        founds in proptest::collection::vec(found(), 40)
    ) {
        let table: BTreeMap<String, Found> =
            founds.into_iter().enumerate().map(|(n, found)| (user(n).key(), found)).collect();
        let (decision, questions) = run(&user(0), open(), &table);
        // Each address is asked about once.
        prop_assert!(questions <= table.len());
        match &decision {
            Decision::Expanded { children, .. } => {
                prop_assert!(children.len() >= 2);
                prop_assert!(children.iter().any(|child| child.end != End::Nobody));
                let keys: HashSet<_> = children.iter().map(|child| child.address.key()).collect();
                prop_assert_eq!(keys.len(), children.len());
                let mailboxes = children.iter().filter_map(|child| match &child.end {
                    End::Mailbox(account) => Some(account.id),
                    End::Remote | End::Nobody => None,
                });
                let all: Vec<_> = mailboxes.collect();
                prop_assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
            }
            Decision::Rewritten { to, .. } => prop_assert!(to.end != End::Nobody),
            Decision::Mailbox { .. } | Decision::Remote { .. } | Decision::Nobody { .. } | Decision::Misled { .. } => {}
            Decision::NotHere { .. } | Decision::Later { .. } => prop_assert!(false, "{decision:?}"),
        }
        prop_assert_eq!(decision.refusal(&user(0)).is_none(), matches!(
            decision,
            Decision::Mailbox { .. } | Decision::Remote { .. } | Decision::Rewritten { .. } | Decision::Expanded { .. }
        ));
    }
}
