//! Who wanted to be told: the NOTIFY parameter (RFC 3461 s4.1).

use wire_message::report::Action;
use wire_smtp::command::Notify;

/// Whether a sender wants to hear of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It does.
    Told,
    /// It does not.
    Silence,
}

/// Whether a report of this kind is wanted for a recipient. Without NOTIFY: failures and delays (RFC 3461 s4.1 leaves
/// delays to us).
#[must_use]
pub fn wish(action: Action, notify: Option<Notify>) -> Wish {
    let (success, failure, delay) = match notify {
        None => (false, true, true),
        Some(Notify::Never) => (false, false, false),
        Some(Notify::On {
            success,
            failure,
            delay,
        }) => (success, failure, delay),
    };
    let told = match action {
        Action::Delivered | Action::Relayed | Action::Expanded => success,
        Action::Delayed => delay,
        Action::Failed => failure,
    };
    if told { Wish::Told } else { Wish::Silence }
}
