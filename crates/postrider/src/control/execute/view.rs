//! Looking: stories, bodies and the audit.

use path_ledger::{MessageId, Story, inspect_body};

use super::{Answered, ledger, one, rows};
use crate::control::Answer;
use crate::rooms::Rooms;

pub(super) async fn trace(rooms: &Rooms, query: &str) -> Answered {
    rows(stories(rooms, query).await?)
}

/// What a question means, one story at least.
pub(super) async fn stories(rooms: &Rooms, query: &str) -> Result<Vec<Story>, Answer> {
    let stories = rooms.ledger.trace(query).await.map_err(ledger)?;
    if stories.is_empty() {
        return Err(Answer::asker(format!(
            "nothing is known of {query:?}: it was never accepted, or its history is pruned"
        )));
    }
    Ok(stories)
}

pub(super) async fn audit(rooms: &Rooms) -> Answered {
    one(&rooms.ledger.audit().await.map_err(ledger)?)
}

/// The largest body handed out: no message accepted is larger.
const BODY_MAX: usize = 2_000_000_000;

pub(super) async fn body(rooms: &Rooms, id: MessageId) -> Answered {
    let content = inspect_body(rooms.ledger.store(), id, BODY_MAX)
        .await
        .map_err(ledger)?;
    let content =
        content.ok_or_else(|| Answer::asker(format!("the body of {id} is not kept any more")))?;
    Ok(Answer::Octets { content })
}
