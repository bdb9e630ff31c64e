//! What became of a message for one recipient, and the words that decided it.

use path_ledger::{JobRecipient, MessageId, NewRecipient, Recipient};
use wire_message::report::{Action, Diagnostic, Outcome};
use wire_message::{Address, Class, EnhancedStatus, OriginalRecipient, Time};
use wire_smtp::command::Notify;

/// What became of a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// The recipient.
    pub address: Address,
    /// As the sender wrote it.
    pub orcpt: Option<OriginalRecipient>,
    /// When the sender wants to be told.
    pub notify: Option<Notify>,
    /// The end of its lifetime; shown when it is tried until then.
    pub expires_at: Option<Time>,
    /// When it was tried last, if that is known.
    pub last_attempt: Option<Time>,
    /// What was said.
    pub said: Said,
}

/// The last words about a recipient, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// The server that was asked, by its name; empty when none was.
    pub peer: String,
    /// A server's reply with its code, or our own words; empty when nothing was said.
    pub text: String,
    /// The status, when the caller knows one; else it is taken from a reply.
    pub status: Option<EnhancedStatus>,
}

impl Said {
    /// A server's reply, with its code, as it came.
    pub fn reply(peer: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            peer: peer.into(),
            text: text.into(),
            status: None,
        }
    }

    /// Our own words.
    pub fn ours(status: EnhancedStatus, text: impl Into<String>) -> Self {
        Self {
            peer: String::new(),
            text: text.into(),
            status: Some(status),
        }
    }
}

impl Fate {
    /// What became of a recipient that was in flight.
    #[must_use]
    pub fn of_job(recipient: &JobRecipient, last_attempt: Time, said: Said) -> Self {
        Self {
            address: recipient.address.clone(),
            orcpt: recipient.orcpt.clone(),
            notify: recipient.notify,
            expires_at: Some(recipient.expires_at),
            last_attempt: Some(last_attempt),
            said,
        }
    }

    /// What became of a recipient, by its row.
    #[must_use]
    pub fn of_row(recipient: &Recipient, said: Said) -> Self {
        Self {
            address: recipient.address.clone(),
            orcpt: recipient.orcpt.clone(),
            notify: recipient.notify,
            expires_at: recipient.expires_at,
            last_attempt: None,
            said,
        }
    }

    /// What became of a recipient at its acceptance.
    #[must_use]
    pub fn of_new(recipient: &NewRecipient, said: Said) -> Self {
        Self {
            address: recipient.address.clone(),
            orcpt: recipient.orcpt.clone(),
            notify: recipient.notify,
            expires_at: None,
            last_attempt: None,
            said,
        }
    }

    pub(crate) fn outcome(&self, action: Action, message: MessageId) -> Outcome {
        let reply = Reply::of(&self.said.text);
        let said = self.said.status.or(reply.as_ref().map(Reply::status));
        let whose = if reply.is_some() {
            "smtp"
        } else {
            "x-postrider"
        };
        let text = one_line(&self.said.text);
        Outcome {
            original_recipient: self.orcpt.clone(),
            remote_mta: Some(self.said.peer.clone()).filter(|peer| !peer.is_empty()),
            diagnostic: (!text.is_empty()).then(|| Diagnostic {
                kind: whose.to_owned(),
                text,
            }),
            last_attempt: self.last_attempt,
            will_retry_until: self.expires_at.filter(|_| action == Action::Delayed),
            final_log_id: Some(message.to_string()),
            ..Outcome::new(self.address.clone(), action, status(action, said))
        }
    }
}

/// The status of a report: of the class that its action means, with the detail that was said.
///
/// A failure may be of the temporary class: something that did not pass in time (RFC 3464 s2.3.4).
fn status(action: Action, said: Option<EnhancedStatus>) -> EnhancedStatus {
    let class = said.map(EnhancedStatus::class);
    let detail = |class| said.map(|said| EnhancedStatus::new(class, said.subject(), said.detail()));
    match (action, class) {
        (Action::Delivered | Action::Relayed | Action::Expanded, Some(Class::Success)) => {
            detail(Class::Success)
        }
        (Action::Delayed, Some(Class::Temporary | Class::Permanent)) => detail(Class::Temporary),
        (Action::Failed, Some(Class::Temporary | Class::Permanent)) => said,
        (
            Action::Delivered | Action::Relayed | Action::Expanded,
            None | Some(Class::Temporary | Class::Permanent),
        )
        | (Action::Delayed | Action::Failed, None | Some(Class::Success)) => None,
    }
    .unwrap_or(match action {
        Action::Delivered | Action::Relayed | Action::Expanded => {
            EnhancedStatus::new(Class::Success, 0, 0)
        }
        Action::Delayed => EnhancedStatus::new(Class::Temporary, 0, 0),
        Action::Failed => EnhancedStatus::new(Class::Permanent, 0, 0),
    })
}

/// The first line of a reply of SMTP or LMTP: three digits, then a space, a hyphen or nothing (RFC 5321 s4.2).
struct Reply<'a> {
    code: u16,
    text: &'a str,
}

impl<'a> Reply<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (code, rest) = text.split_at_checked(3)?;
        let digits = code.bytes().all(|byte| byte.is_ascii_digit());
        let separated = rest.is_empty() || rest.starts_with([' ', '-', '\r', '\n']);
        if !(digits && separated) {
            return None;
        }
        let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
        Some(Self {
            code,
            text: rest.strip_prefix([' ', '-']).unwrap_or(rest),
        })
    }

    /// The enhanced code when it agrees with the basic one (RFC 2034 s4), else what the basic one says.
    fn status(&self) -> EnhancedStatus {
        let basic = EnhancedStatus::from_reply_code(self.code).unwrap_or(EnhancedStatus::new(
            Class::Permanent,
            0,
            0,
        ));
        match EnhancedStatus::split(self.text.lines().next().unwrap_or_default()) {
            Some((enhanced, _)) if enhanced.class() == basic.class() => enhanced,
            Some(_) | None => basic,
        }
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}
