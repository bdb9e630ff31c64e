//! The sender: who is told what becomes of the message, if anybody is.

use wire_message::ReversePath;
use wire_smtp::command::{MailParams, Notify};
use wire_smtp::reply::Reply;

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

/// What the sender may be told: nobody can be told about mail from the null sender, whatever it asks for
/// (RFC 3461 s4.1 has NOTIFY for those who can be).
pub(crate) fn notify(sender: &ReversePath, asked: Option<Notify>) -> Option<Notify> {
    match sender {
        ReversePath::Null => Some(Notify::Never),
        ReversePath::Address(_) => asked,
    }
}
