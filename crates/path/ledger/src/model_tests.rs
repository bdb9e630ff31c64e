//! The model: every state against every operation, and random lives that must always add up.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::fixture::{
    Book, HOUR, book, categorizing, claimed, held, hop, queued, relayed, settlement,
};
use crate::{
    Act, Birth, Filter, LedgerError, MessageId, NewRecipient, Recipient, RecipientId, Return,
    RouteResult, Routed, Settled, State, Step, Sweep, Swept, Unrouted,
};

/// A recipient in `state`, brought there as mail comes there.
async fn in_state(book: &Book, state: State) -> RecipientId {
    let end = |step| async move {
        let id = book.one(claimed()).await;
        let message = book.row(id).await.message;
        book.ledger
            .settle(settlement(message, vec![(id, step)]))
            .await
            .unwrap();
        id
    };
    match state {
        State::Categorizing => book.one(categorizing()).await,
        State::Queued => book.one(queued()).await,
        State::InFlight => book.one(claimed()).await,
        State::Held => book.one(held()).await,
        State::Delivered => {
            end(Step::Delivered {
                reply: "stored".into(),
            })
            .await
        }
        State::Relayed => end(relayed()).await,
        State::Expanded => {
            book.one(Birth::Expanded {
                cause: "alias".into(),
            })
            .await
        }
        State::Returned => {
            end(Step::Returned {
                cause: "550 no".into(),
            })
            .await
        }
        State::Discarded => {
            end(Step::Discarded {
                cause: "spam".into(),
                actor: "rule".into(),
            })
            .await
        }
        State::DeadLetter => {
            end(Step::DeadLetter {
                cause: "550 no".into(),
            })
            .await
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Claim,
    Settle,
    Release,
    Renew,
    Begin,
    Route,
    Hold,
    ReleaseHold,
    Retry,
    Discard,
    Reroute,
    Return,
    Expire,
}

const OPERATIONS: [Operation; 13] = [
    Operation::Claim,
    Operation::Settle,
    Operation::Release,
    Operation::Renew,
    Operation::Begin,
    Operation::Route,
    Operation::Hold,
    Operation::ReleaseHold,
    Operation::Retry,
    Operation::Discard,
    Operation::Reroute,
    Operation::Return,
    Operation::Expire,
];

/// From where to where an operation takes a recipient. What is not here it must not touch.
fn moves(operation: Operation) -> &'static [(State, State)] {
    use State::{Categorizing, Discarded, Held, InFlight, Queued, Relayed, Returned};
    match operation {
        Operation::Claim => &[(Queued, InFlight)],
        Operation::Settle => &[(InFlight, Relayed)],
        Operation::Release => &[(InFlight, Queued)],
        Operation::Renew | Operation::Begin => &[(InFlight, InFlight)],
        Operation::Route => &[(Categorizing, Queued)],
        Operation::Hold => &[(Queued, Held), (Categorizing, Held)],
        // A fixture's held recipient was never routed.
        Operation::ReleaseHold => &[(Held, Categorizing)],
        Operation::Retry => &[(Queued, Queued), (Categorizing, Categorizing)],
        Operation::Discard => &[
            (Queued, Discarded),
            (Categorizing, Discarded),
            (Held, Discarded),
        ],
        Operation::Reroute => &[(Queued, Queued), (Categorizing, Queued), (Held, Queued)],
        Operation::Return => &[
            (Queued, Returned),
            (Categorizing, Returned),
            (Held, Returned),
        ],
        Operation::Expire => &[
            (Queued, Returned),
            (Categorizing, Returned),
            (Held, Returned),
            (InFlight, Returned),
        ],
    }
}

fn routed_row(recipient: &Recipient, book: &Book) -> Unrouted {
    Unrouted {
        recipient: recipient.clone(),
        envelope: book.message([]).envelope.into(),
        size: 0,
        body: None,
    }
}

/// Does it to one recipient; whether it was let.
async fn operate(book: &Book, operation: Operation, id: RecipientId) -> bool {
    let row = book.row(id).await;
    let act = |act| async move {
        let filter = Filter {
            ids: vec![MessageId::from_key(id.key())],
            ..Filter::default()
        };
        let preview = book.ledger.preview(&filter).await.unwrap();
        let result = book
            .ledger
            .act(&preview, act, "ann", "because")
            .await
            .unwrap();
        result.done == 1
    };
    match operation {
        Operation::Claim => !book.claim().await.is_empty(),
        Operation::Settle => {
            let settled = book
                .ledger
                .settle(settlement(row.message, vec![(id, relayed())]))
                .await;
            settled.unwrap() == Settled::Done
        }
        Operation::Release => !book.ledger.release(&[id]).await.unwrap().done.is_empty(),
        Operation::Renew => !book.ledger.renew(&[id]).await.unwrap().done.is_empty(),
        Operation::Begin => !book.ledger.begin(&[id]).await.unwrap().done.is_empty(),
        Operation::Route => {
            let to = Routed::Queued { next_hop: hop() };
            let routed = book
                .ledger
                .route(&routed_row(&row, book), to, Vec::new())
                .await;
            routed.unwrap() == RouteResult::Done
        }
        Operation::Hold => act(Act::Hold).await,
        Operation::ReleaseHold => act(Act::Release).await,
        Operation::Retry => act(Act::Retry).await,
        Operation::Discard => act(Act::Discard).await,
        Operation::Reroute => {
            act(Act::Reroute {
                next_hop: Some(hop()),
            })
            .await
        }
        Operation::Return => {
            act(Act::Return {
                notices: vec![Return {
                    recipients: vec![id],
                    notice: None,
                }],
            })
            .await
        }
        Operation::Expire => expire(book, row).await,
    }
}

async fn expire(book: &Book, recipient: Recipient) -> bool {
    let due = crate::DueRow {
        envelope: book.message([]).envelope.into(),
        recipient,
        size: 0,
        body: None,
        hop: None,
    };
    let expire = Sweep::Expire {
        cause: "its lifetime ended".into(),
        notices: Vec::new(),
    };
    match book.ledger.sweep(&[due], expire).await {
        Ok(swept) => swept == Swept::Done,
        Err(LedgerError::Mixed(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_moves_the_states_it_may_and_no_other_and_final_is_final() {
    for operation in OPERATIONS {
        for state in State::ALL {
            let book = book().await;
            let id = in_state(&book, state).await;
            assert_eq!(book.row(id).await.state, state);
            let before = book.row(id).await;
            let let_through = operate(&book, operation, id).await;
            let after = book.row(id).await;
            let found = moves(operation).iter().find(|(from, _)| *from == state);
            let expected = found.map(|(_, to)| *to);
            assert_eq!(let_through, expected.is_some(), "{operation:?} of {state}");
            assert_eq!(
                after.state,
                expected.unwrap_or(state),
                "{operation:?} of {state}"
            );
            assert_eq!(after.deadline_at, after.due(), "{operation:?} of {state}");
            if expected.is_none() {
                assert_eq!(after, before, "{operation:?} of {state}");
            }
            book.assert_sound().await;
        }
    }
}

/// What can happen to a book.
#[derive(Debug, Clone)]
enum Happening {
    Accept(Vec<u8>),
    Operate(Operation, prop::sample::Index),
    Expand(prop::sample::Index),
    Defer,
    LoseClaims,
    Restart,
    Pass(u64),
    Prune,
}

fn happening() -> impl Strategy<Value = Happening> {
    let operation = prop::sample::select(&OPERATIONS[..]);
    prop_oneof![
        3 => prop::collection::vec(0u8..6, 1..4).prop_map(Happening::Accept),
        6 => (operation, any::<prop::sample::Index>()).prop_map(|(what, who)| Happening::Operate(what, who)),
        1 => any::<prop::sample::Index>().prop_map(Happening::Expand),
        1 => Just(Happening::Defer),
        1 => Just(Happening::LoseClaims),
        1 => Just(Happening::Restart),
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
                operate(book, operation, who.get(&all).id).await;
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
        Happening::LoseClaims => {
            book.ledger.lost_claims().await.unwrap();
        }
        Happening::Restart => book.restart().await,
        Happening::Pass(seconds) => book.pass(Duration::from_secs(seconds)).await,
        Happening::Prune => {
            let before = book.now() - HOUR;
            book.ledger.prune(before, 100).await.unwrap();
        }
    }
}

/// Time passes unswept in these lives: being overdue is the only thing an audit may find.
async fn adds_up(book: &Book) -> Result<(), TestCaseError> {
    let audit = book.ledger.audit().await.unwrap();
    prop_assert_eq!((audit.difference, audit.orphans), (0, 0), "{:#?}", audit);
    let wrong = |one: &&crate::Finding| one.kind != crate::FindingKind::Overdue;
    prop_assert_eq!(audit.findings.iter().find(wrong), None);
    for row in book.rows("", Vec::new()).await {
        prop_assert_eq!(row.deadline_at, row.due(), "{:#?}", row);
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
            for one in life {
                happen(&mut book, one).await;
                adds_up(&book).await?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}
