//! What the sender hears of a list, a recipient that stands for several addresses (RFC 3461 s5.2.7.3).
//!
//! Two halves of one rule: of its members no success is told, so the sender who asked for success is owed one report that it
//! was expanded. The report is composed here; whoever records the expansion stores it in the same transaction.

use ground_settings::Settings;
use path_ledger::{Ledger, NewMessage, Unrouted};
use path_notify::{About, Action, Content, Extent, Fate, Reporter, Said, Stamp, Wish, wish};
use wire_message::ReversePath;
use wire_smtp::command::Notify;

/// NOTIFY of a list's members: as the list's, without success.
#[must_use]
pub fn notify_of_members(list: Option<Notify>) -> Option<Notify> {
    match list? {
        Notify::Never => Some(Notify::Never),
        Notify::On { failure, delay, .. } if failure || delay => Some(Notify::On {
            success: false,
            failure,
            delay,
        }),
        Notify::On { .. } => Some(Notify::Never),
    }
}

/// The report that is owed when `new` is accepted, on those of its recipients at the places `lists`; none when its sender
/// did not ask to hear of success.
pub async fn reports_on_lists(
    ledger: &Ledger,
    settings: &Settings,
    new: &NewMessage,
    lists: &[usize],
) -> Vec<NewMessage> {
    let lists = lists.iter().filter_map(|place| new.recipients.get(*place));
    let fates: Vec<_> = lists
        .map(|list| Fate::of_new(list, Said::default()))
        .collect();
    if !is_owed(&new.envelope.sender, &fates) {
        return Vec::new();
    }
    let content = Content::of_new(ledger, &new.body).await;
    let about = About {
        id: new.id,
        envelope: &new.envelope,
        size: new.body.size(),
        content: &content,
    };
    compose(ledger, settings, &about, &fates)
}

/// The report that is owed when a recipient turns out to be a list after its acceptance.
pub async fn reports_on_late_list(
    ledger: &Ledger,
    settings: &Settings,
    list: &Unrouted,
) -> Vec<NewMessage> {
    let fates = [Fate::of_row(&list.recipient, Said::default())];
    if !is_owed(&list.envelope.sender, &fates) {
        return Vec::new();
    }
    let content = Content::read(ledger, list.body.as_ref(), Extent::Headers).await;
    let about = About {
        id: list.recipient.message,
        envelope: &list.envelope,
        size: list.size,
        content: &content,
    };
    compose(ledger, settings, &about, &fates)
}

/// Asked before anything is read for it: most mail is owed nothing.
fn is_owed(sender: &ReversePath, fates: &[Fate]) -> bool {
    let wanted = |fate: &Fate| wish(Action::Expanded, fate.notify) == Wish::Told;
    *sender != ReversePath::Null && fates.iter().any(wanted)
}

fn compose(
    ledger: &Ledger,
    settings: &Settings,
    about: &About<'_>,
    fates: &[Fate],
) -> Vec<NewMessage> {
    let reporter = match Reporter::new(settings) {
        Ok(reporter) => reporter,
        Err(error) => {
            // Settings with such a name are refused when they are loaded.
            tracing::error!(%error, "no report can be made");
            return Vec::new();
        }
    };
    let stamp = Stamp {
        id: ledger.new_id(),
        at: ledger.now(),
    };
    reporter.expanded(about, fates, stamp).into_messages()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_lists_members_no_success_is_told() {
        let on = |success, failure, delay| {
            Some(Notify::On {
                success,
                failure,
                delay,
            })
        };
        for (asked, kept) in [
            (None, None),
            (Some(Notify::Never), Some(Notify::Never)),
            (on(true, false, false), Some(Notify::Never)),
            (on(true, true, false), on(false, true, false)),
            (on(true, false, true), on(false, false, true)),
            (on(false, true, true), on(false, true, true)),
        ] {
            assert_eq!(notify_of_members(asked), kept, "{asked:?}");
        }
    }
}
