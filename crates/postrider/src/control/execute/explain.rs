//! Explaining: the facts are gathered here, and one pure function says what they mean.

use path_categorize::{Asker, categorize};
use path_ledger::{
    Filter, HopKey, HopStatus, NodeStatus, RecipientId, State, Story, StoryRecipient,
};
use serde_json::json;

use super::{Answered, ledger, unwritable, view};
use crate::control::Answer;
use crate::rooms::Rooms;
use access_admin::explain::{Explanation, Facts, explain as explained};

/// One row a message: its id, and each of its recipients explained; of a recipient's id that one alone.
pub(super) async fn explain(rooms: &Rooms, query: &str) -> Answered {
    let stories = view::stories(rooms, query).await?;
    let nodes = rooms.ledger.nodes().await.map_err(ledger)?;
    let only: Option<RecipientId> = query.trim().parse().ok();
    let mut rows = Vec::with_capacity(stories.len());
    for story in &stories {
        let named = |one: &&StoryRecipient| Some(one.id) == only;
        let all = !story.recipients.iter().any(|one| named(&one));
        let mut recipients = Vec::new();
        for recipient in story.recipients.iter().filter(|one| all || named(one)) {
            let one = of_recipient(rooms, story, recipient, &nodes).await?;
            recipients.push(serde_json::to_value(one).map_err(unwritable)?);
        }
        rows.push(json!({
            "id": story.id,
            "sender": story.sender,
            "subject": story.subject,
            "recipients": recipients,
        }));
    }
    Ok(Answer::Rows { rows })
}

pub(super) async fn of_recipient(
    rooms: &Rooms,
    story: &Story,
    recipient: &StoryRecipient,
    nodes: &[NodeStatus],
) -> Result<Explanation, Answer> {
    let settings = rooms.settings.borrow().clone();
    let (hop, in_flight) = match recipient.next_hop.parse::<HopKey>() {
        Ok(key) => at_hop(rooms, &key).await?,
        // It has no way yet, or the way cannot be read.
        Err(_) => (None, 0),
    };
    let directory = match (recipient.state.is_final(), recipient.address.parse()) {
        (false, Ok(address)) => {
            let asker = Asker::Ourselves;
            let found = categorize(&rooms.directory, &settings, &asker, &address).await;
            Some(found.reason().to_owned())
        }
        (true, _) | (false, Err(_)) => None,
    };
    Ok(explained(&Facts {
        story,
        recipient,
        hop,
        in_flight,
        nodes,
        settings: &settings,
        directory,
        now: rooms.ledger.now(),
    }))
}

async fn at_hop(rooms: &Rooms, key: &HopKey) -> Result<(Option<HopStatus>, u64), Answer> {
    let status = rooms.ledger.hop(key).await.map_err(ledger)?;
    let filter = Filter {
        state: Some(State::InFlight),
        next_hop: Some(key.to_string()),
        ..Filter::default()
    };
    let in_flight = rooms.ledger.count(&filter).await.map_err(ledger)?;
    Ok((Some(status), in_flight))
}
