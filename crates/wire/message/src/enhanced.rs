//! Enhanced status codes: `class.subject.detail` (RFC 3463), the one vocabulary of replies and reports.

use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// The largest subject and the largest detail (RFC 3463 s2: up to three digits).
pub const NUMBER_MAX: u16 = 999;

/// Whether what was asked for is done, may be done later, or never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 2: done.
    Success,
    /// 4: not now; the same message may pass later.
    Temporary,
    /// 5: never, unless something about the message changes.
    Permanent,
}

/// An enhanced status code, such as `5.1.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedStatus {
    class: Class,
    subject: u16,
    detail: u16,
}

/// The text is not `class.subject.detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an enhanced status code: wanted 2, 4 or 5, then two numbers of up to three digits")]
pub struct StatusError;

impl Class {
    /// The digit it is written as.
    pub const fn digit(self) -> u8 {
        match self {
            Class::Success => 2,
            Class::Temporary => 4,
            Class::Permanent => 5,
        }
    }

    fn from_digit(digit: &str) -> Option<Class> {
        match digit {
            "2" => Some(Class::Success),
            "4" => Some(Class::Temporary),
            "5" => Some(Class::Permanent),
            _ => None,
        }
    }
}

impl EnhancedStatus {
    /// The code `class.subject.detail`; numbers over [`NUMBER_MAX`] become 0, "other or undefined".
    pub const fn new(class: Class, subject: u16, detail: u16) -> EnhancedStatus {
        EnhancedStatus {
            class,
            subject: if subject > NUMBER_MAX { 0 } else { subject },
            detail: if detail > NUMBER_MAX { 0 } else { detail },
        }
    }

    /// Done, later, or never.
    pub const fn class(self) -> Class {
        self.class
    }

    /// What the code is about: 1 addresses, 2 mailboxes, 3 the system, 4 the way, 5 the protocol, 6 content, 7 policy.
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// The precise condition within the subject.
    pub const fn detail(self) -> u16 {
        self.detail
    }

    /// The code that says no more than a basic reply code does; `None` when that is not 2xx, 4xx or 5xx.
    pub const fn from_reply_code(code: u16) -> Option<EnhancedStatus> {
        match code {
            200..=299 => Some(EnhancedStatus::new(Class::Success, 0, 0)),
            400..=499 => Some(EnhancedStatus::new(Class::Temporary, 0, 0)),
            500..=599 => Some(EnhancedStatus::new(Class::Permanent, 0, 0)),
            _ => None,
        }
    }

    /// Splits the text of a reply into the code it starts with and the rest (RFC 2034 s4).
    pub fn split(text: &str) -> Option<(EnhancedStatus, &str)> {
        let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
        Some((code.parse().ok()?, rest))
    }

    /// What the code says, as an English clause; `None` when only its class means something to us.
    pub const fn meaning(self) -> Option<&'static str> {
        // RFC 3463 s3, RFC 4954 s6, RFC 5248, RFC 7505 s4, RFC 7372 s3.
        Some(match (self.subject, self.detail) {
            (1, 1) => "the mailbox does not exist",
            (1, 2) => "the domain does not exist or cannot take mail",
            (1, 3) => "the address is not written correctly",
            (1, 4) => "the address is ambiguous",
            (1, 6) => "the mailbox has moved and left no new address",
            (1, 7) => "the sender's address is not written correctly",
            (1, 8) => "the sender's domain is not accepted",
            (1, 10) => "the domain says that it takes no mail at all",
            (2, 1) => "the mailbox is disabled",
            (2, 2) => "the mailbox is full",
            (2, 3) => "the message is too large for the mailbox",
            (2, 4) => "the mailing list could not be expanded",
            (3, 1) => "the system is out of storage",
            (3, 2) => "the system takes no messages at present",
            (3, 4) => "the message is too large for the system",
            (3, 5) => "the system is not set up correctly",
            (4, 1) => "no server of the domain answered",
            (4, 2) => "the connection broke off",
            (4, 3) => "the directory of names could not be asked",
            (4, 4) => "there is no way to the domain",
            (4, 5) => "the system is overloaded",
            (4, 6) => "the message went round in a loop",
            (4, 7) => "the message could not be handed over in time",
            (5, 2) => "the servers did not understand each other",
            (5, 3) => "the message has too many recipients",
            (6, 1) => "the kind of content is not supported",
            (6, 3) => "the content needs a conversion that is not possible",
            (6, 7 | 9) => "the server takes no internationalized addresses",
            (7, 0 | 1) => "the message was refused by policy",
            (7, 2) => "the sender may not write to the mailing list",
            (7, 4 | 5 | 10 | 11) => "the required security could not be had",
            (7, 8) => "the credentials were not accepted",
            (7, 20..=26) => "the message is not authenticated as the server demands",
            _ => return None,
        })
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class.digit(), self.subject, self.detail)
    }
}

impl FromStr for EnhancedStatus {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<EnhancedStatus, StatusError> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(StatusError);
        let class = Class::from_digit(next()?).ok_or(StatusError)?;
        let subject = number(next()?)?;
        let detail = number(next()?)?;
        Ok(EnhancedStatus::new(class, subject, detail))
    }
}

fn number(digits: &str) -> Result<u16, StatusError> {
    if digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(StatusError);
    }
    digits.parse().map_err(|_| StatusError)
}
