//! How recipients end, what their senders are told, and how many copies there are.

use std::collections::BTreeMap;

use super::time::CORRECTED;
use super::{FAILURE, NEVER, Verdict, broken};
use crate::simulate::book::{Book, Message, Recipient};

/// What peers have confirmed: by Message-ID and recipient, how often.
pub(crate) type Copies = BTreeMap<(String, String), usize>;

/// P2, P4, P6: what a row must be like, whenever it is looked at.
pub(super) fn is_whole(id: i64, recipient: &Recipient, book: &Book) -> Verdict {
    let made = book
        .attempts
        .iter()
        .filter(|one| one.recipient == id)
        .count();
    if usize::try_from(recipient.attempts).ok() != Some(made) {
        return broken(
            "P1 one truth",
            format!("{made} attempts are in the history of {id}: {recipient:?}"),
        );
    }
    if !recipient.is_final() {
        if book.mails.iter().any(|(of, _)| *of == id) {
            return broken(
                "P10 at most one visible delivery",
                format!("{id} is in a mailbox already: {recipient:?}"),
            );
        }
        let clock =
            recipient.deadline_at.is_some() && recipient.deadline_at <= recipient.expires_at;
        let body = book.messages.get(&recipient.message);
        if !clock || body.is_none_or(|message| message.has_body == 0) {
            return broken(
                "P2 closed states",
                format!("{id} without clock or body: {recipient:?}"),
            );
        }
        return Ok(());
    }
    if recipient.cause.is_empty() || recipient.actor.is_empty() {
        return broken(
            "P8 no silent drop",
            format!("{id} ended without a cause: {recipient:?}"),
        );
    }
    let mails = book.mails.iter().filter(|(of, _)| *of == id).count();
    let copies_wanted = usize::from(recipient.state == "delivered");
    if mails != copies_wanted {
        return broken(
            "P10 at most one visible delivery",
            format!("{id} is {} and in {mails} mailboxes", recipient.state),
        );
    }
    if book
        .events(id, "expired")
        .any(|one| Some(one.at + CORRECTED) < recipient.expires_at)
    {
        return broken(
            "P5 bounded age",
            format!("{id} ended before its time: {recipient:?}"),
        );
    }
    let final_reply = recipient.cause.starts_with('5');
    if recipient.state == "returned" && recipient.actor == "deliver" && !final_reply {
        return broken(
            "P6 told on time",
            format!("{id} was returned for what may pass: {recipient:?}"),
        );
    }
    let attempted = |outcome: &str| book.outcomes(id, outcome);
    if recipient.state == "relayed" && attempted("relayed") != 1 {
        return broken(
            "P10 at most one visible delivery",
            format!("{id} is relayed, by {} attempts", attempted("relayed")),
        );
    }
    is_told(id, recipient, book)
}

/// P6: the report stands in the book from the moment the failure does.
fn is_told(id: i64, recipient: &Recipient, book: &Book) -> Verdict {
    let Some(message) = book.messages.get(&recipient.message) else {
        return broken("P1 one truth", format!("recipient {id} has no message"));
    };
    let wanted = recipient.notify == 0 || recipient.notify & FAILURE != 0;
    match recipient.state.as_str() {
        "returned" if message.sender.is_empty() => broken(
            "P6 told on time",
            format!("{id} was returned to nobody; that is a dead letter"),
        ),
        "returned" if wanted && recipient.notify & NEVER == 0 => {
            let told = |report: &Message| {
                report.cause == Some(recipient.message)
                    && Some(report.received_at) == recipient.finished_at
            };
            match book.messages.values().any(told) {
                true => Ok(()),
                false => broken(
                    "P6 told on time",
                    format!("no report tells of {id}: {recipient:?}"),
                ),
            }
        }
        _ => Ok(()),
    }
}

/// P8, P10: at the end of a story, when everything works again and enough time has passed.
pub(crate) fn over(book: &Book, copies: &Copies) -> Verdict {
    for (id, recipient) in &book.recipients {
        if !recipient.is_final() {
            return broken(
                "P5 bounded age",
                format!("{id} has not ended: {recipient:?}"),
            );
        }
        let message = book.messages.get(&recipient.message);
        let message_id = message.map_or("", |message| message.message_id.as_str());
        let key = (message_id.to_owned(), recipient.address.clone());
        let copies = copies.get(&key).copied().unwrap_or(0);
        let known = usize::from(recipient.state == "relayed");
        let unknown = book.outcomes(*id, "unknown");
        if copies < known || copies > known + unknown {
            return broken(
                "P10 at most one visible delivery",
                format!("{copies} copies for {unknown} unknown outcomes: {id} {recipient:?}"),
            );
        }
    }
    Ok(())
}
