//! The categorizer: who is this recipient really?
//!
//! **For what.** An address comes in, a [`Decision`] goes out, and with it the reason in words: a mailbox here, somewhere
//! else, another address in its place, many addresses, or a refusal that says whose move it is. `path-accept` asks at RCPT
//! and for mail that waits to be categorized; `postrider explain` shows the reasons.
//!
//! **The way through.** [`categorize`] asks the directory and feeds its answers to an [`Expansion`], a machine without I/O
//! that follows aliases to their ends. [`Asker`] says who wants to send, and with that whether mail may pass through us.
//!
//! ```text
//!   recipient --> Expansion --question--> directory
//!                     ^  \                   |
//!                     |   \--> Decision      |
//!                     \------- answer -------/
//! ```
//!
//! What the sender of a list's message hears is decided here too (`list`): the report on its expansion, and no success of its
//! members.
//!
//! **Relay is closed** unless the asker is authenticated, comes from a network in the listener's `relay_from`, or is this
//! server itself. That is asked of the recipient as it was given, never of what an alias leads to: an administrator made
//! the alias.
//!
//! **Never.** Nothing is written here: a report is composed, and stored by whoever records the expansion. No decision is made from a directory that could not be asked: that is
//! [`Decision::Later`].
//!
//! **Limits.** [`DEPTH_MAX`] aliases on one way, [`CHILDREN_MAX`] ends of one recipient, [`LOOKUPS_MAX`] addresses looked
//! at, [`DEADLINE`] for it all. An address is looked at once: loops end there and doubles are one.

mod asker;
mod decision;
mod expand;
mod list;

pub use asker::{Asker, Relay};
pub use decision::{Child, Decision, End};
pub use expand::{CHILDREN_MAX, DEPTH_MAX, Expansion, LOOKUPS_MAX};
pub use list::{notify_of_members, reports_on_late_list, reports_on_lists};

use std::time::Duration;

use ground_directory::{Directory, DirectoryError, Found};
use ground_settings::Settings;
use std::sync::Arc;
use wire_message::{Address, Domain, DomainName};

/// How long the directory may take for all questions about one recipient: a client waits for the answer to RCPT.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Decides who `recipient` is for `asker`. Always answers, within [`DEADLINE`].
pub async fn categorize(
    directory: &Directory,
    settings: &Settings,
    asker: &Asker,
    recipient: &Address,
) -> Decision {
    let clock = &directory.world().clock;
    let asking = ask(directory, settings, asker, recipient);
    match clock.timeout(DEADLINE, asking).await {
        Ok(decision) => decision,
        Err(late) => Decision::later(format!("the directory did not answer: {late}")),
    }
}

async fn ask(
    directory: &Directory,
    settings: &Settings,
    asker: &Asker,
    recipient: &Address,
) -> Decision {
    let mut expansion = Expansion::new(recipient.clone(), asker.relay());
    while let Some(address) = expansion.question().cloned() {
        match look_up(directory, settings, &address).await {
            Ok(found) => expansion.answer(&found),
            Err(error) => {
                tracing::warn!(%recipient, %error, "the directory could not be asked");
                return Decision::later(format!("the directory could not be asked: {error}"));
            }
        }
    }
    expansion.decide()
}

/// Asks the directory; the postmaster of our own host name is the postmaster of this server (RFC 5321 s4.5.1).
async fn look_up(
    directory: &Directory,
    settings: &Settings,
    address: &Address,
) -> Result<Arc<Found>, DirectoryError> {
    let separator = settings.delivery.subaddress_separator.as_str();
    let found = directory.resolve(address, separator).await?;
    let ours = *found == Found::NotLocal
        && address.local().eq_ignore_ascii_case("postmaster")
        && is_host(settings, address.domain());
    if ours {
        return directory.postmaster(separator).await;
    }
    Ok(found)
}

fn is_host(settings: &Settings, domain: &Domain) -> bool {
    let hostname = settings.server.hostname.as_str();
    domain
        .name()
        .map(DomainName::ascii)
        .is_some_and(|name| name.eq_ignore_ascii_case(hostname))
}

#[cfg(test)]
mod tests;
