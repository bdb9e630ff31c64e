//! Random lives of a book: whatever happens, in whatever order, it adds up.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use wire_message::Time;

use super::{Operation, operate};
use crate::fixture::{Book, HOUR, book, categorizing, claimed, held, queued, settlement};
use crate::{Birth, FindingKind, NewRecipient, RecipientId, Routed, Step};

/// What can happen to a book.
#[derive(Debug, Clone)]
enum Happening {
    Accept(Vec<u8>),
    Operate(Operation, prop::sample::Index),
    Expand(prop::sample::Index),
    Defer,
    Pass(u64),
    Prune,
}

fn happening() -> impl Strategy<Value = Happening> {
    // What is postponed has another alarm clock than the rule's, which is compared below.
    let all = Operation::ALL.iter().copied();
    let all: Vec<_> = all.filter(|one| *one != Operation::Postpone).collect();
    let operation = prop::sample::select(all);
    prop_oneof![
        3 => prop::collection::vec(0u8..6, 1..4).prop_map(Happening::Accept),
        9 => (operation, any::<prop::sample::Index>()).prop_map(|(what, who)| Happening::Operate(what, who)),
        1 => any::<prop::sample::Index>().prop_map(Happening::Expand),
        1 => Just(Happening::Defer),
        1 => (1u64..7200).prop_map(Happening::Pass),
        1 => Just(Happening::Prune),
    ]
}

fn birth(n: u8) -> Birth {
    match n {
        0 => queued(),
        1 => claimed(),
        2 => categorizing(),
        3 => held(),
        4 => Birth::Expanded {
            cause: "alias".into(),
        },
        _ => Birth::Discarded {
            cause: "spam".into(),
            actor: "rule".into(),
        },
    }
}

async fn happen(book: &mut Book, happening: Happening) {
    match happening {
        Happening::Accept(births) => {
            let message = book.message(births.into_iter().map(birth));
            book.ledger.accept(message).await.unwrap();
        }
        Happening::Operate(operation, who) => {
            let all = book.rows(" ORDER BY id", Vec::new()).await;
            if !all.is_empty() {
                let id = who.get(&all).id;
                operate(book, operation, id).await;
            }
        }
        Happening::Expand(who) => {
            let due = book.ledger.categorizing_due(100).await.unwrap();
            if !due.is_empty() {
                let child = |birth| NewRecipient {
                    address: crate::fixture::address("child@there.test"),
                    orcpt: None,
                    notify: None,
                    parent: None,
                    birth,
                };
                let children = vec![child(queued()), child(held())];
                let expanded = Routed::Expanded {
                    cause: "group".into(),
                    children,
                };
                book.ledger
                    .route(who.get(&due), expanded, Vec::new())
                    .await
                    .unwrap();
            }
        }
        Happening::Defer => {
            for job in book.claim().await {
                let retry_at = book.now() + Duration::from_secs(60);
                let later = || Step::Deferred {
                    retry_at,
                    reply: "450 later".into(),
                };
                let steps = job.recipients.iter().map(|one| (one.id, later())).collect();
                let mut one = settlement(job.message, steps);
                one.attempt = Some(book.attempt());
                book.ledger.settle(one).await.unwrap();
            }
        }
        Happening::Pass(seconds) => book.pass(Duration::from_secs(seconds)).await,
        Happening::Prune => {
            let before = book.now() - HOUR;
            book.ledger.prune(before, 100).await.unwrap();
        }
    }
}

/// Time passes unswept in these lives, and rows are damaged: an audit may find what is overdue or held as damaged, no more.
async fn adds_up(book: &Book) -> Result<(), TestCaseError> {
    let audit = book.ledger.audit().await.unwrap();
    prop_assert_eq!((audit.difference, audit.orphans), (0, 0), "{:#?}", audit);
    let known = [FindingKind::Overdue, FindingKind::Damaged];
    let wrong = |one: &&crate::Finding| !known.contains(&one.kind);
    prop_assert_eq!(audit.findings.iter().find(wrong), None);
    for row in book.rows("", Vec::new()).await {
        prop_assert_eq!(row.deadline_at, row.due(), "{:#?}", row);
    }
    Ok(())
}

/// What was once said of an age is said for ever.
async fn ages_stand(
    book: &Book,
    born: &mut BTreeMap<RecipientId, (Time, Option<Time>)>,
) -> Result<(), TestCaseError> {
    for row in book.rows("", Vec::new()).await {
        let ages = (row.accepted_at, row.expires_at);
        prop_assert_eq!(*born.entry(row.id).or_insert(ages), ages, "{:#?}", row);
        prop_assert!(row.deadline_at <= row.expires_at, "{:#?}", row);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_the_book_adds_up(life in prop::collection::vec(happening(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut book = book().await;
            let mut born = BTreeMap::new();
            for one in life {
                happen(&mut book, one).await;
                adds_up(&book).await?;
                ages_stand(&book, &mut born).await?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}
