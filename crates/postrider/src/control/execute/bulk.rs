//! Acts on many: a preview is kept as it was shown, and an act on it runs in the background, part by part.
//!
//! A preview keeps which recipient stood in which state, and nothing else: each part is read anew, and whoever has moved on
//! escapes. What is kept is of this process. When it ends, so do acts under way: what was done stays done and is recorded
//! recipient by recipient, the rest is as it was.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use access_admin::ESCAPEES_NAMED;
use path_ledger::{Filter, IDS_MAX, MessageId, Preview, PreviewRow, RecipientId, State};
use tokio::task::JoinSet;
use wire_message::Time;

use super::act::{Wish, act_of, parts};
use super::{Answered, hop, ledger, one};
use crate::control::{ActState, ActStatus, Answer, Group, Previewed, Verb};
use crate::rooms::Rooms;

/// Recipients of one preview: some dozen megabytes.
const PREVIEW_MAX: usize = 1_000_000;

/// Previews that are kept; the oldest is forgotten first.
const PREVIEWS_KEPT: usize = 16;

/// Acts that are remembered when they have ended.
const ACTS_KEPT: usize = 64;

/// Acts under way at one time: each reads and writes as fast as it can.
const ACTS_AT_ONCE: usize = 4;

/// Rows shown of a preview.
const ROWS_SHOWN: usize = 100;

/// What is kept for acts on many.
#[derive(Debug, Default)]
pub struct Acts {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    previews: VecDeque<Arc<Wanted>>,
    acts: VecDeque<Status>,
    running: JoinSet<()>,
}

/// A preview as it was shown.
#[derive(Debug)]
struct Wanted {
    name: String,
    filter: String,
    /// By message.
    rows: Vec<Shown>,
}

/// A recipient as a preview showed it.
#[derive(Debug)]
struct Shown {
    message: MessageId,
    recipient: RecipientId,
    state: State,
}

impl Acts {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here panics half way, so a poisoned lock guards whole data.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far an act is. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Status(Arc<Mutex<ActStatus>>);

/// What is said of an act from its beginning on.
struct Begun<'a> {
    act: String,
    verb: &'a Verb,
    filter: String,
    by: &'a str,
    reason: &'a str,
    count: u64,
}

impl Status {
    fn running(begun: Begun<'_>, began_at: Time) -> Self {
        Self(Arc::new(Mutex::new(ActStatus {
            act: begun.act,
            verb: begun.verb.ledgers(),
            filter: begun.filter,
            by: begun.by.to_owned(),
            reason: begun.reason.to_owned(),
            state: ActState::Running,
            count: begun.count,
            done: 0,
            escaped: 0,
            escapees: Vec::new(),
            trouble: None,
            began_at,
        })))
    }

    fn hold(&self) -> MutexGuard<'_, ActStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// More of it is done.
    pub(super) fn advance(&self, done: u64, escaped: &[RecipientId]) {
        let mut status = self.hold();
        status.done += done;
        status.escaped += escaped.len() as u64;
        let room = ESCAPEES_NAMED.saturating_sub(status.escapees.len());
        status.escapees.extend(escaped.iter().take(room));
    }

    /// All of it is done, or it was refused half way.
    pub(super) fn ended(&self, refused: Option<&Answer>) {
        let mut status = self.hold();
        match refused {
            None => status.state = ActState::Ended,
            Some(answer) => {
                status.state = ActState::Failed;
                status.trouble = Some(words(answer));
            }
        }
    }
}

/// Why it was refused.
fn words(answer: &Answer) -> String {
    match answer {
        Answer::Refused { why, .. } => why.clone(),
        Answer::Rows { .. } | Answer::One { .. } | Answer::Octets { .. } => String::new(),
    }
}

/// The longest name of an act.
const NAME_MAX: usize = 64;

/// Keeps how far an act is, under the name by which it is asked for; without one nobody asks.
pub(super) fn named(
    rooms: &Rooms,
    by: &str,
    wish: &Wish,
    name: Option<String>,
    count: u64,
) -> Result<Status, Answer> {
    let begun = Begun {
        act: name.clone().unwrap_or_default(),
        verb: &wish.verb,
        filter: wish.filter.to_string(),
        by,
        reason: &wish.reason,
        count,
    };
    let status = Status::running(begun, rooms.ledger.now());
    let Some(name) = name else {
        return Ok(status);
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(1..=NAME_MAX).contains(&name.len()) || !name.chars().all(plain) {
        return Err(Answer::asker(format!(
            "an act's name has up to {NAME_MAX} letters, digits, hyphens and underscores"
        )));
    }
    let mut kept = rooms.acts.kept();
    if kept.acts.iter().any(|status| status.hold().act == name) {
        return Err(Answer::asker(
            "another act of this name is remembered; choose another name",
        ));
    }
    kept.remember(status.clone());
    Ok(status)
}

impl Kept {
    fn remember(&mut self, status: Status) {
        self.acts.push_back(status);
        if self.acts.len() > ACTS_KEPT {
            self.acts.pop_front();
        }
    }
}

/// Finds exactly which recipients a filter means, page by page, and keeps them.
pub(super) async fn preview(rooms: &Rooms, filter: &Filter) -> Answered {
    let mut rows = Vec::new();
    let mut groups: BTreeMap<(State, String), u64> = BTreeMap::new();
    let mut shown = Vec::new();
    let mut page = filter.clone();
    let bounded = filter.limit.is_some();
    let more = loop {
        let found = rooms.ledger.preview(&page).await.map_err(ledger)?;
        let last = found.rows.last().map(|row| row.recipient_id);
        for row in found.rows {
            *groups.entry((row.state, row.next_hop.clone())).or_default() += 1;
            rows.push(Shown {
                message: row.id,
                recipient: row.recipient_id,
                state: row.state,
            });
            if shown.len() < ROWS_SHOWN {
                shown.push(row);
            }
        }
        let full = rows.len() >= PREVIEW_MAX;
        if bounded || !found.more || full {
            break found.more;
        }
        page.after = last.map(|id| MessageId::from_key(id.key()));
    };
    if rows.is_empty() {
        return Err(Answer::asker("no recipient fits"));
    }
    rows.sort_by_key(|shown: &Shown| shown.message);
    let wanted = Arc::new(Wanted {
        name: rooms.ledger.new_id().to_string(),
        filter: filter.to_string(),
        rows,
    });
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|((state, next_hop), count)| Group {
            state,
            next_hop,
            count,
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    let previewed = Previewed {
        preview: wanted.name.clone(),
        filter: wanted.filter.clone(),
        count: wanted.rows.len() as u64,
        more,
        groups,
        rows: shown,
    };
    let mut kept = rooms.acts.kept();
    kept.previews.push_back(wanted);
    if kept.previews.len() > PREVIEWS_KEPT {
        kept.previews.pop_front();
    }
    drop(kept);
    one(&previewed)
}

/// Begins an act on a preview, which is used up.
pub(super) fn begin(rooms: &Rooms, by: &str, preview: &str, verb: Verb, reason: &str) -> Answered {
    if let Verb::Reroute { to: Some(to) } = &verb {
        hop::there(rooms, to)?;
    }
    if verb == Verb::Export {
        return Err(Answer::asker(
            "an export hands messages out, and changes nothing: see postrider export",
        ));
    }
    let mut kept = rooms.acts.kept();
    while kept.running.try_join_next().is_some() {}
    if kept.running.len() >= ACTS_AT_ONCE {
        return Err(Answer::asker(
            "other acts are under way; begin this one when one of them has ended",
        ));
    }
    let place = kept.previews.iter().position(|one| one.name == preview);
    let wanted = place.and_then(|place| kept.previews.remove(place));
    let Some(wanted) = wanted else {
        return Err(Answer::asker(
            "this preview was used or is forgotten; preview again",
        ));
    };
    let begun = Begun {
        act: wanted.name.clone(),
        verb: &verb,
        filter: wanted.filter.clone(),
        by,
        reason,
        count: wanted.rows.len() as u64,
    };
    let status = Status::running(begun, rooms.ledger.now());
    let answer = one(&*status.hold());
    kept.remember(status.clone());
    let run = Run {
        // What runs must not keep alive what it is kept in.
        rooms: rooms.without_acts(),
        wanted,
        verb,
        status,
    };
    kept.running.spawn(run.run());
    answer
}

/// How far an act is.
pub(super) fn progress(rooms: &Rooms, act: &str) -> Answered {
    let kept = rooms.acts.kept();
    let found = kept.acts.iter().find(|status| status.hold().act == act);
    match found {
        Some(status) => one(&*status.hold()),
        None => Err(Answer::asker(
            "no such act is remembered; what was done stands in the history",
        )),
    }
}

struct Run {
    rooms: Rooms,
    wanted: Arc<Wanted>,
    verb: Verb,
    status: Status,
}

impl Run {
    async fn run(self) {
        let ended = self.part_by_part().await;
        self.status.ended(ended.err().as_ref());
        let (by, reason, done, escaped) = {
            let status = self.status.hold();
            (
                status.by.clone(),
                status.reason.clone(),
                status.done,
                status.escaped,
            )
        };
        let (verb, filter) = (self.verb.ledgers(), &self.wanted.filter);
        let record = self
            .rooms
            .ledger
            .record_act(verb, filter, &by, &reason, done, escaped);
        if let Err(error) = record.await {
            tracing::error!(%error, act = %self.wanted.name, "what an act came to could not be recorded as a whole");
        }
    }

    async fn part_by_part(&self) -> Result<(), Answer> {
        for part in parts(&self.wanted.rows, |shown| shown.message) {
            self.treat(part).await?;
        }
        Ok(())
    }

    /// Those of a part that are as they were shown.
    async fn as_shown(
        &self,
        shown: &BTreeMap<RecipientId, State>,
    ) -> Result<Vec<PreviewRow>, Answer> {
        let ids: Vec<_> = shown
            .keys()
            .map(|id| MessageId::from_key(id.key()))
            .collect();
        let mut rows = Vec::with_capacity(shown.len());
        for ids in ids.chunks(IDS_MAX) {
            let filter = Filter {
                ids: ids.to_vec(),
                ..Filter::default()
            };
            let found = self.rooms.ledger.preview(&filter).await.map_err(ledger)?;
            let as_shown = |row: &PreviewRow| shown.get(&row.recipient_id) == Some(&row.state);
            rows.extend(found.rows.into_iter().filter(as_shown));
        }
        Ok(rows)
    }

    async fn treat(&self, part: &[Shown]) -> Result<(), Answer> {
        let book = &self.rooms.ledger;
        let shown: BTreeMap<RecipientId, State> =
            part.iter().map(|one| (one.recipient, one.state)).collect();
        let rows = self.as_shown(&shown).await?;
        let still: std::collections::BTreeSet<RecipientId> =
            rows.iter().map(|row| row.recipient_id).collect();
        let mut escaped: Vec<RecipientId> = shown
            .keys()
            .copied()
            .filter(|id| !still.contains(id))
            .collect();
        let preview = Preview {
            count: rows.len() as u64,
            more: false,
            filter: String::new(),
            rows,
        };
        let (by, reason) = {
            let status = self.status.hold();
            (status.by.clone(), status.reason.clone())
        };
        let act = act_of(&self.rooms, &self.verb, &preview, &reason).await?;
        let done = book.act_on_part(&preview, &act, &by, &reason).await;
        let done = done.map_err(ledger)?;
        escaped.extend(done.escaped);
        self.status.advance(done.done, &escaped);
        Ok(())
    }
}
