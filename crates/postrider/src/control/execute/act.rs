//! What an operator does to recipients: exactly to those the preview showed.

use std::collections::{BTreeMap, BTreeSet};

use path_ledger::{Act, DueRow, Filter, MessageId, Preview, Return};
use path_notify::{About, Action, Content, Fate, Reporter, Said, Stamp, extent_for};
use serde_json::json;
use wire_message::{Class, EnhancedStatus};

use super::{Answered, hop, ledger, rows};
use crate::control::{Answer, Verb};
use crate::rooms::Rooms;

pub(super) async fn act(
    rooms: &Rooms,
    by: &str,
    verb: Verb,
    filter: &Filter,
    reason: &str,
    dry_run: bool,
) -> Answered {
    let preview = rooms.ledger.preview(filter).await.map_err(ledger)?;
    if preview.rows.is_empty() {
        return Err(Answer::asker(
            "no recipient fits; see: postrider queue list",
        ));
    }
    if dry_run {
        return rows(preview.rows);
    }
    let act = act_of(rooms, &verb, &preview, reason).await?;
    let messages: BTreeSet<MessageId> = preview.rows.iter().map(|row| row.id).collect();
    let done = rooms
        .ledger
        .act(&preview, act, by, reason)
        .await
        .map_err(ledger)?;
    let fact = json!({
        "act": verb.ledgers(),
        "done": done.done,
        "escaped": done.escaped,
        "more": preview.more,
        "messages": messages,
    });
    Ok(Answer::One { fact })
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
