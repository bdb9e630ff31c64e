//! What an operator does to recipients: exactly to those the preview showed.

use std::collections::{BTreeMap, BTreeSet};

use path_ledger::{
    Act, ActResult, DueRow, Filter, IDS_MAX, MessageId, Preview, PreviewRow, Return,
};
use path_notify::{About, Action, Content, Fate, Reporter, Said, Stamp, extent_for};
use serde_json::json;
use wire_message::{Class, EnhancedStatus};

use super::bulk::{self, Status};
use super::{Answered, hop, ledger, rows};
use crate::control::{Answer, Verb};
use crate::rooms::Rooms;

/// Recipients that are treated before somebody who asks how far it is hears of it; composed reports of so many are in memory.
const PART: usize = IDS_MAX;

/// What is wanted.
pub(super) struct Wish {
    pub(super) verb: Verb,
    pub(super) filter: Filter,
    pub(super) reason: String,
}

/// To whom it would be done.
pub(super) async fn shown(rooms: &Rooms, wish: &Wish) -> Answered {
    rows(meant(rooms, wish).await?.rows)
}

/// Does it. By `name` it can be asked meanwhile how far it is.
pub(super) async fn act(rooms: &Rooms, by: &str, wish: &Wish, name: Option<String>) -> Answered {
    let Wish { verb, reason, .. } = wish;
    let preview = meant(rooms, wish).await?;
    let status = bulk::named(rooms, by, wish, name, preview.count)?;
    let messages: BTreeSet<MessageId> = preview.rows.iter().map(|row| row.id).collect();
    let (filter, more) = (preview.filter, preview.more);
    let ended = part_by_part(rooms, by, wish, preview.rows, &status).await;
    status.ended(ended.as_ref().err());
    let done = ended?;
    let book = &rooms.ledger;
    let escaped = done.escaped.len() as u64;
    book.record_act(verb.ledgers(), &filter, by, reason, done.done, escaped)
        .await
        .map_err(ledger)?;
    let fact = json!({
        "act": verb.ledgers(),
        "done": done.done,
        "escaped": done.escaped,
        "more": more,
        "messages": messages,
    });
    Ok(Answer::One { fact })
}

async fn meant(rooms: &Rooms, wish: &Wish) -> Result<Preview, Answer> {
    let preview = rooms.ledger.preview(&wish.filter).await.map_err(ledger)?;
    if preview.rows.is_empty() {
        return Err(Answer::asker(
            "no recipient fits; see: postrider queue list",
        ));
    }
    Ok(preview)
}

/// What was done before a part that fails stays done, and is recorded recipient by recipient.
async fn part_by_part(
    rooms: &Rooms,
    by: &str,
    wish: &Wish,
    mut rows: Vec<PreviewRow>,
    status: &Status,
) -> Result<ActResult, Answer> {
    let mut all = ActResult::default();
    rows.sort_by_key(|row| row.id);
    for rows in parts(&rows, |row| row.id) {
        let part = Preview {
            count: rows.len() as u64,
            more: false,
            filter: String::new(),
            rows: rows.to_vec(),
        };
        let act = act_of(rooms, &wish.verb, &part, &wish.reason).await?;
        let acting = rooms.ledger.act_on_part(&part, &act, by, &wish.reason);
        let done = acting.await.map_err(ledger)?;
        status.advance(done.done, &done.escaped);
        all.done += done.done;
        all.escaped.extend(done.escaped);
    }
    Ok(all)
}

/// Recipients by [`PART`]s, none of which parts those of a message: one report tells of all of them. They are sorted by it.
pub(super) fn parts<T>(sorted: &[T], message: fn(&T) -> MessageId) -> Vec<&[T]> {
    let mut parts = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for of_one in sorted.chunk_by(|a, b| message(a) == message(b)) {
        if end > begin && end - begin + of_one.len() > PART {
            parts.extend(sorted.get(begin..end));
            begin = end;
        }
        end += of_one.len();
    }
    parts.extend(sorted.get(begin..end));
    parts
}

/// What `verb` does to the rows of a preview.
pub(super) async fn act_of(
    rooms: &Rooms,
    verb: &Verb,
    preview: &Preview,
    reason: &str,
) -> Result<Act, Answer> {
    Ok(match verb {
        Verb::Retry => Act::Retry,
        Verb::Hold => Act::Hold,
        Verb::Release => Act::Release,
        Verb::Return => Act::Return {
            notices: returns(rooms, preview, reason).await?,
        },
        Verb::Discard => Act::Discard,
        Verb::Reroute { to } => Act::Reroute {
            next_hop: to.as_deref().map(|to| hop::there(rooms, to)).transpose()?,
        },
        Verb::Export => Act::Export,
    })
}

/// Delivery not authorized (RFC 3463 s3.8): a person here has decided so.
const BY_A_PERSON: EnhancedStatus = EnhancedStatus::new(Class::Permanent, 7, 1);

/// The reports to the senders, one for each message.
async fn returns(rooms: &Rooms, preview: &Preview, reason: &str) -> Result<Vec<Return>, Answer> {
    let settings = rooms.settings.borrow().clone();
    let reporter = Reporter::with_links(&rooms.ledger, &settings).await;
    let reporter = reporter.map_err(Answer::asker)?;
    let mut by_message: BTreeMap<MessageId, Vec<DueRow>> = BTreeMap::new();
    for row in &preview.rows {
        if let Some(row) = rooms
            .ledger
            .waiting_recipient(row.recipient_id)
            .await
            .map_err(ledger)?
        {
            by_message
                .entry(row.recipient.message)
                .or_default()
                .push(row);
        }
    }
    let mut returns = Vec::with_capacity(by_message.len());
    for (id, rows) in &by_message {
        returns.push(give_back(rooms, &reporter, *id, rows, reason).await);
    }
    Ok(returns)
}

async fn give_back(
    rooms: &Rooms,
    reporter: &Reporter,
    id: MessageId,
    rows: &[DueRow],
    reason: &str,
) -> Return {
    let recipients = rows.iter().map(|row| row.recipient.id).collect();
    let Some(first) = rows.first() else {
        return Return {
            recipients,
            notice: None,
        };
    };
    let words = match reason {
        "" => "an administrator of this server has returned the message".to_owned(),
        reason => format!("an administrator of this server has returned the message: {reason}"),
    };
    let extent = extent_for(Action::Failed, &first.envelope, first.size);
    let content = Content::read(&rooms.ledger, first.body.as_ref(), extent).await;
    let about = About {
        id,
        envelope: &first.envelope,
        size: first.size,
        content: &content,
    };
    let fate = |row: &DueRow| Fate::of_row(&row.recipient, Said::ours(BY_A_PERSON, words.clone()));
    let fates: Vec<Fate> = rows.iter().map(fate).collect();
    let stamp = Stamp {
        id: rooms.ledger.new_id(),
        at: rooms.ledger.now(),
    };
    let notice = reporter.failure(&about, &fates, stamp).into_messages();
    Return {
        recipients,
        notice: notice.into_iter().next(),
    }
}

#[cfg(test)]
mod tests {
    use path_ledger::{RecipientId, State};

    use super::*;

    /// Row `n` of a preview in which each message has `each` recipients, the last messages first.
    fn row(n: usize, each: usize) -> PreviewRow {
        let key = i64::try_from(n).unwrap();
        PreviewRow {
            id: MessageId::from_key(1_000_000 - i64::try_from(n / each).unwrap()),
            recipient_id: RecipientId::from_key(key + 1),
            recipient: String::new(),
            sender: String::new(),
            state: State::Queued,
            next_hop: String::new(),
        }
    }

    #[test]
    fn an_act_on_many_goes_by_parts_and_parts_no_message() {
        for (count, each, expected) in [
            (3, 1, vec![3]),
            (PART, 7, vec![PART]),
            (PART * 2 + 1, 1, vec![PART, PART, 1]),
            (PART + 200, 400, vec![800, 400]),
            // A message of more than a part is a part of its own.
            (PART * 3, PART + 500, vec![PART + 500, PART + 500]),
        ] {
            let rows: Vec<PreviewRow> = (0..count).map(|n| row(n, each)).collect();
            let mut sorted = rows.clone();
            sorted.sort_by_key(|row| row.id);
            let parts = parts(&sorted, |row| row.id);
            let sizes: Vec<usize> = parts.iter().map(|part| part.len()).collect();
            assert_eq!(sizes, expected);
            let key = |row: &PreviewRow| row.recipient_id;
            let reached: BTreeSet<_> = parts.into_iter().flatten().map(key).collect();
            assert_eq!(reached, rows.iter().map(key).collect());
        }
    }
}
