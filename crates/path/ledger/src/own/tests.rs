//! Each account finds its own mail, and nobody else's.

use ground_store::Query;
use wire_message::ReversePath;

use crate::fixture::{Book, DAY, HOUR, address, book, book_on_sqlite, queued};
use crate::{MessageId, Origin};

use super::*;

impl Book {
    /// A message that `auth` handed in, under whatever sender.
    async fn handed_in(&self, auth: &str, sender: &str, message_id: &str) -> MessageId {
        let mut message = self.message([queued()]);
        let id = message.id;
        message.envelope.origin = Origin::Submission;
        message.envelope.auth = auth.to_owned();
        message.envelope.sender = ReversePath::Address(address(sender));
        message.envelope.message_id = message_id.to_owned();
        self.ledger.accept(message).await.unwrap();
        id
    }

    async fn page(&self, owner: &Owner, before: Option<MessageId>, limit: u32) -> Vec<MessageId> {
        let stories = self.ledger.sent(owner, before, limit).await.unwrap();
        stories.iter().map(|story| story.id).collect()
    }

    async fn named(&self, owner: &Owner, question: &str) -> Vec<MessageId> {
        let stories = self.ledger.sent_named(owner, question).await.unwrap();
        stories.iter().map(|story| story.id).collect()
    }
}

fn owner(account: &str) -> Owner {
    Owner {
        account: account.to_owned(),
        since: Time::EPOCH,
    }
}

#[tokio::test(start_paused = true)]
async fn mail_is_whose_login_it_came_with_whatever_its_sender() {
    let book = book().await;
    let (ann, bob) = (owner("ann@here.test"), owner("bob@here.test"));
    let hers = book
        .handed_in("ann@here.test", "bob@here.test", "<a@x>")
        .await;
    let his = book
        .handed_in("bob@here.test", "ann@here.test", "<b@x>")
        .await;
    // Without a login it is nobody's, though its sender is hers.
    let nobodys = book.handed_in("", "ann@here.test", "<c@x>").await;
    assert_eq!(book.page(&ann, None, 10).await, [hers]);
    assert_eq!(book.page(&bob, None, 10).await, [his]);
    for nobody in ["", "ann", "ANN@here.test", "%"] {
        assert!(
            book.page(&owner(nobody), None, 10).await.is_empty(),
            "{nobody}"
        );
    }
    for (question, found) in [
        (hers.to_string(), vec![hers]),
        ("<A@x>".to_owned(), vec![hers]),
        ("a@x".to_owned(), vec![hers]),
        (his.to_string(), vec![]),
        ("<b@x>".to_owned(), vec![]),
        (nobodys.to_string(), vec![]),
        ("<c@x>".to_owned(), vec![]),
        // An address is no Message-ID.
        ("ann@here.test".to_owned(), vec![]),
        ("r0@there.test".to_owned(), vec![]),
        (String::new(), vec![]),
    ] {
        assert_eq!(book.named(&ann, &question).await, found, "{question}");
        // The same when the words have come into the index.
        book.ledger.index_words(100).await.unwrap();
        assert_eq!(book.named(&ann, &question).await, found, "{question}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_go_on_where_the_last_one_ended() {
    let book = book().await;
    let ann = owner("ann@here.test");
    let mut all = Vec::new();
    for n in 0..7 {
        all.push(
            book.handed_in("ann@here.test", "a@here.test", "<a@x>")
                .await,
        );
        book.handed_in("bob@here.test", "b@here.test", "<b@x>")
            .await;
        if n % 2 == 0 {
            book.pass(HOUR).await;
        }
    }
    all.reverse();
    let mut read = Vec::new();
    let mut before = None;
    loop {
        let page = book.page(&ann, before, 3).await;
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        before = Some(*last);
        read.extend(page);
    }
    assert_eq!(read, all);
}

/// An address that is given to somebody else does not take its mail along.
#[tokio::test(start_paused = true)]
async fn what_was_sent_before_the_account_was_made_is_anothers() {
    let book = book().await;
    let before = book
        .handed_in("ann@here.test", "ann@here.test", "<a@x>")
        .await;
    book.pass(DAY).await;
    let ann = Owner {
        since: book.now(),
        ..owner("ann@here.test")
    };
    let after = book
        .handed_in("ann@here.test", "ann@here.test", "<b@x>")
        .await;
    assert_eq!(book.page(&ann, None, 10).await, [after]);
    assert!(book.named(&ann, &before.to_string()).await.is_empty());
    assert!(book.named(&ann, "<a@x>").await.is_empty());
    assert_eq!(book.named(&ann, "<b@x>").await, [after]);
}

/// A page costs what is on it, however much others have sent.
#[tokio::test(start_paused = true)]
async fn a_page_is_read_by_its_index_in_order() {
    let book = book_on_sqlite().await;
    let mut values = owner("ann@here.test").values();
    values.extend([i64::MAX.into(), 20.into()]);
    let query = Query::new(format!("EXPLAIN QUERY PLAN {PAGE}"), values);
    let plan = book.ledger.store().read(query).await.unwrap();
    let plan: Vec<_> = plan.iter().map(|row| row.text(3).unwrap()).collect();
    let [only] = plan.as_slice() else {
        panic!("{plan:?}");
    };
    assert!(only.contains("message_by_auth (auth=? AND id<?)"), "{only}");
}
