//! The head of the message: loops are ended, what a listing shows is read, what a program left out is added.

use std::fmt::Write;

use path_ledger::{MessageId, Origin};
use wire_message::Time;
use wire_message::header::{Field, Head};
use wire_smtp::reply::Reply;

/// Characters of a Subject that are kept for listings.
const SUBJECT_MAX: usize = 200;

/// Characters of a Message-ID that are kept: no honest one is longer than a line.
const MESSAGE_ID_MAX: usize = 998;

/// How often one message may come here. A list, a forward and the way back are two or three; a loop has no end.
const OWN_PASSES_MAX: usize = 5;

/// Whether Message-ID and Date are added when they are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// From our own users (RFC 6409 s8.2, s8.3).
    Fill,
    /// From other servers: not ours to change (RFC 5321 s6.4).
    Leave,
}

impl Gaps {
    pub(crate) fn of(origin: Origin) -> Gaps {
        match origin {
            Origin::Submission | Origin::Sendmail => Gaps::Fill,
            Origin::Smtp | Origin::Lmtp | Origin::Report => Gaps::Leave,
        }
    }
}

/// By what a head is judged and completed.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) id: MessageId,
    pub(crate) at: Time,
    pub(crate) hostname: String,
    pub(crate) max_received: u32,
    pub(crate) gaps: Gaps,
}

/// What the head said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Empty when there is none.
    pub(crate) message_id: String,
    /// Cut to a bound.
    pub(crate) subject: String,
    /// Fields that were missing; they go on top, below the trace header.
    pub(crate) missing: String,
}

impl Rules {
    /// Reads the head of `message`, once.
    pub(crate) fn examine(&self, message: &[u8]) -> Result<Facts, Reply> {
        let mut facts = Facts::default();
        let (mut received, mut own, mut dated) = (0_u32, 0_usize, false);
        for field in Head::of(message).fields() {
            if field.is("Received") {
                received = received.saturating_add(1);
                own += usize::from(self.is_ours(&field));
            } else if field.is("Message-ID") && facts.message_id.is_empty() {
                facts.message_id = cut(field.text(), MESSAGE_ID_MAX);
            } else if field.is("Subject") && facts.subject.is_empty() {
                facts.subject = cut(field.display(), SUBJECT_MAX);
            } else if field.is("Date") {
                dated = true;
            }
        }
        if received > self.max_received {
            let text = format!("5.4.6 Mail loop: it has passed {received} servers already");
            return Err(Reply::plain(554, text));
        }
        if own >= OWN_PASSES_MAX {
            let text = format!("5.4.6 Mail loop: it has been here {own} times already");
            return Err(Reply::plain(554, text));
        }
        self.fill(&mut facts, dated);
        Ok(facts)
    }

    fn fill(&self, facts: &mut Facts, dated: bool) {
        if self.gaps == Gaps::Leave {
            return;
        }
        let mut missing = String::new();
        let mut written = Ok(());
        if facts.message_id.is_empty() {
            facts.message_id = format!("<{}@{}>", self.id, self.hostname);
            written = write!(missing, "Message-ID: {}\r\n", facts.message_id);
        }
        if !dated {
            written = written.and(write!(missing, "Date: {}\r\n", self.at.rfc5322()));
        }
        // Writing to memory cannot fail; half a field must not go out if it ever does.
        if written.is_ok() {
            facts.missing = missing;
        }
    }

    /// Whether this server wrote the trace header: `by` its name, with an `id` of its form.
    fn is_ours(&self, field: &Field<'_>) -> bool {
        let text = field.text();
        let after = |word: &str| {
            let mut words = text.split([' ', '\t', ';']).filter(|word| !word.is_empty());
            words.find(|found| found.eq_ignore_ascii_case(word))?;
            words.next()
        };
        let by = after("by").is_some_and(|by| by.eq_ignore_ascii_case(&self.hostname));
        by && after("id").is_some_and(|id| id.parse::<MessageId>().is_ok())
    }
}

fn cut(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests;
