//! Recipients: each is looked up while the client waits, and accepted or refused with its reason.

use std::collections::HashSet;

use ground_directory::Directory;
use ground_settings::{Limits, Settings};
use path_categorize::{Asker, Decision, categorize};
use wire_message::address::ForwardPath;
use wire_message::{Address, Domain, OriginalRecipient, ReversePath};
use wire_smtp::command::{Notify, RcptParams};
use wire_smtp::reply::Reply;

use super::sender;

/// Rows of one message at most, with all that its recipients expand to: one unit of the store holds them.
const ROWS_MAX: usize = 20_000;

/// A recipient as it was given, and who it is.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) address: Address,
    pub(crate) orcpt: Option<OriginalRecipient>,
    pub(crate) notify: Option<Notify>,
    pub(crate) decision: Decision,
}

/// The recipients of a draft, each address once.
#[derive(Debug, Default)]
pub(crate) struct Recipients {
    wanted: Vec<Wanted>,
    /// Keys of their addresses; kept from the second on.
    keys: HashSet<String>,
    /// RCPTs accepted, repetitions included.
    asked: usize,
    rows: usize,
}

/// By what recipients are judged.
pub(crate) struct Rules<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) settings: &'a Settings,
    pub(crate) limits: &'a Limits,
    pub(crate) asker: &'a Asker,
    pub(crate) sender: &'a ReversePath,
}

impl Recipients {
    /// RCPTs accepted, repetitions included.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    /// The address of a message with one recipient.
    pub(crate) fn only(&self) -> Option<&Address> {
        match self.wanted.as_slice() {
            [one] => Some(&one.address),
            [] | [_, _, ..] => None,
        }
    }

    pub(crate) fn into_wanted(self) -> Vec<Wanted> {
        self.wanted
    }

    /// Takes a recipient, or refuses it.
    pub(crate) async fn add(&mut self, rules: &Rules<'_>, rcpt: RcptParams) -> Result<(), Reply> {
        if self.asked >= usize::try_from(rules.limits.max_recipients).unwrap_or(usize::MAX) {
            return Err(too_many());
        }
        let address = at_home(rcpt.to, rules.settings)?;
        if self.is_known(&address) {
            // One recipient named twice gets one copy; the first RCPT's parameters hold.
            self.asked += 1;
            return Ok(());
        }
        let decision = decide(rules, &address).await?;
        let rows = self.rows + rows_of(&decision);
        if rows > ROWS_MAX {
            return Err(too_many());
        }
        self.rows = rows;
        self.asked += 1;
        self.wanted.push(Wanted {
            orcpt: rcpt.orcpt,
            notify: sender::notify(rules.sender, rcpt.notify),
            address,
            decision,
        });
        Ok(())
    }

    /// Whether the address was given before; remembers it otherwise.
    fn is_known(&mut self, address: &Address) -> bool {
        if self.keys.is_empty() {
            let Some(first) = self.wanted.first() else {
                return false;
            };
            self.keys.insert(first.address.key());
        }
        !self.keys.insert(address.key())
    }
}

async fn decide(rules: &Rules<'_>, address: &Address) -> Result<Decision, Reply> {
    let decision = categorize(rules.directory, rules.settings, rules.asker, address).await;
    let Some(refusal) = decision.refusal(address) else {
        return Ok(decision);
    };
    let ours = matches!(rules.asker, Asker::Ourselves);
    match &decision {
        // Nobody waits for an answer and can try again: the book keeps it until the directory answers.
        Decision::Later { .. } if ours => Ok(decision),
        Decision::Later { .. }
        | Decision::Mailbox { .. }
        | Decision::Remote { .. }
        | Decision::Rewritten { .. }
        | Decision::Expanded { .. }
        | Decision::Nobody { .. }
        | Decision::NotHere { .. }
        | Decision::Misled { .. } => {
            tracing::debug!(recipient = %address, reason = decision.reason(), reply = %refusal, "recipient refused");
            Err(refusal)
        }
    }
}

/// A bare `<postmaster>` is the one of this host (RFC 5321 s4.5.1).
fn at_home(to: ForwardPath, settings: &Settings) -> Result<Address, Reply> {
    if let ForwardPath::Address(address) = to {
        return Ok(address);
    }
    let home = Domain::parse(settings.server.hostname.as_str());
    home.and_then(|home| to.into_address(&home))
        .map_err(|_| Reply::plain(550, "5.1.3 This host has no name that mail can be sent to"))
}

fn rows_of(decision: &Decision) -> usize {
    match decision {
        Decision::Expanded { children, .. } => children.len() + 1,
        Decision::Rewritten { .. } => 2,
        Decision::Mailbox { .. }
        | Decision::Remote { .. }
        | Decision::Nobody { .. }
        | Decision::NotHere { .. }
        | Decision::Misled { .. }
        | Decision::Later { .. } => 1,
    }
}

/// The client sends the rest in its next transaction (RFC 5321 s4.5.3.1.10).
fn too_many() -> Reply {
    Reply::plain(452, "4.5.3 Too many recipients")
}
