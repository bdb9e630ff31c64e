//! The sender: who is told what becomes of the message, if anybody is, and whether the client may name it.

use ground_directory::Directory;
use ground_settings::{AuthenticatedSender, Settings};
use path_categorize::{Asker, Decision, categorize};
use wire_message::{Address, ReversePath};
use wire_smtp::command::{MailParams, Notify};
use wire_smtp::reply::Reply;

/// Which senders a client may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Senders {
    /// All.
    Any,
    /// Those whose mail comes to this account.
    Of(String),
}

impl Senders {
    /// Those a client may name that logged in as `login`; strangers have always named what they like.
    pub(crate) fn of(login: Option<&str>, rule: AuthenticatedSender) -> Self {
        match (login, rule) {
            (Some(login), AuthenticatedSender::Own) => Senders::Of(login.to_owned()),
            (Some(_), AuthenticatedSender::Any) | (None, _) => Senders::Any,
        }
    }
}

/// Refuses a sender that nobody could answer. The null sender is always welcome: reports come from it (RFC 5321 s4.5.5).
pub(crate) fn check(mail: &MailParams) -> Result<(), Reply> {
    if mail.smtputf8 || mail.from.is_ascii() {
        return Ok(());
    }
    Err(Reply::plain(
        553,
        "5.6.7 An internationalized sender needs SMTPUTF8",
    ))
}

/// Refuses a sender that is somebody else's (RFC 6409 s6.1). Whose it is, mail to it shows: it must come to the account, whether as its own
/// address or by an alias.
pub(crate) async fn may_name(
    senders: &Senders,
    sender: &ReversePath,
    directory: &Directory,
    settings: &Settings,
) -> Result<(), Reply> {
    let (login, address) = match (senders, sender) {
        (Senders::Any, _) | (Senders::Of(_), ReversePath::Null) => return Ok(()),
        (Senders::Of(login), ReversePath::Address(address)) => (login, address),
    };
    let decision = categorize(directory, settings, &Asker::Ourselves, address).await;
    if decision.leads_to(login) {
        return Ok(());
    }
    Err(match &decision {
        // Whose it is is not known: our own trouble is no reason to refuse for good.
        Decision::Later { .. } | Decision::Misled { .. } => {
            let unknown = || not_theirs(login, address);
            decision.refusal(address).unwrap_or_else(unknown)
        }
        Decision::Mailbox { .. }
        | Decision::Remote { .. }
        | Decision::Rewritten { .. }
        | Decision::Expanded { .. }
        | Decision::Nobody { .. }
        | Decision::NotHere { .. } => not_theirs(login, address),
    })
}

fn not_theirs(login: &str, address: &Address) -> Reply {
    let words = format!(
        "5.7.1 <{address}> is not an address of {login}; send as your own, or have the operator make it an alias of yours"
    );
    Reply::plain(553, words)
}

/// What the sender may be told: nobody can be told about mail from the null sender, whatever it asks for
/// (RFC 3461 s4.1 has NOTIFY for those who can be).
pub(crate) fn notify(sender: &ReversePath, asked: Option<Notify>) -> Option<Notify> {
    match sender {
        ReversePath::Null => Some(Notify::Never),
        ReversePath::Address(_) => asked,
    }
}
