//! The machine-readable part: fields about the message, then fields about each recipient (RFC 3464 s2).

use super::{Action, Diagnostic, Outcome, Report, ReportError};
use crate::address::Address;
use crate::date::Time;
use crate::header::{Head, HeadWriter, find_end};
use crate::xtext::{OriginalRecipient, decode_unitext, encode_utf8_xtext, escape, unescape};

/// The most recipients that are read of one report; ours have one or few.
const OUTCOMES_MAX: usize = 10_000;

/// How characters beyond ASCII are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `message/delivery-status`: escaped, so that it is ASCII (RFC 3464 s2.1, RFC 6533 s3).
    Ascii,
    /// `message/global-delivery-status`: as they are (RFC 6533 s4).
    Global,
}

/// The facts about the message as a whole.
#[derive(Default)]
pub(super) struct PerMessage {
    pub(super) envelope_id: Option<String>,
    pub(super) reporting_mta: String,
    pub(super) received_from_mta: Option<String>,
    pub(super) arrival: Option<Time>,
}

/// Which form the fields of a report need.
pub(super) fn form(report: &Report) -> Form {
    let ascii = |outcome: &Outcome| {
        let original = outcome.original_recipient.as_ref();
        outcome.final_recipient.is_ascii() && original.is_none_or(OriginalRecipient::is_ascii)
    };
    if report.to.is_ascii() && report.recipients.iter().all(ascii) {
        Form::Ascii
    } else {
        Form::Global
    }
}

pub(super) fn write(report: &Report, form: Form) -> String {
    let mut writer = Writer {
        head: HeadWriter::new(),
        form,
    };
    writer.exact("Original-Envelope-Id", report.envelope_id.as_deref());
    writer.mta("Reporting-MTA", Some(&report.reporting_mta));
    writer.mta("Received-From-MTA", report.received_from_mta.as_deref());
    writer.date("Arrival-Date", report.arrival);
    for outcome in &report.recipients {
        writer.head.end();
        writer.outcome(outcome);
    }
    writer.head.into_string()
}

struct Writer {
    head: HeadWriter,
    form: Form,
}

impl Writer {
    fn outcome(&mut self, outcome: &Outcome) {
        if let Some(original) = &outcome.original_recipient {
            self.address("Original-Recipient", original);
        }
        let last = OriginalRecipient::from(&outcome.final_recipient);
        self.address("Final-Recipient", &last);
        self.head.field("Action", outcome.action.word());
        self.head.field("Status", &outcome.status.to_string());
        self.mta("Remote-MTA", outcome.remote_mta.as_deref());
        if let Some(diagnostic) = &outcome.diagnostic {
            let value = format!("{}; {}", diagnostic.kind, diagnostic.text);
            self.head.field("Diagnostic-Code", &self.text(&value));
        }
        self.date("Last-Attempt-Date", outcome.last_attempt);
        self.exact("Final-Log-ID", outcome.final_log_id.as_deref());
        if outcome.action == Action::Delayed {
            self.date("Will-Retry-Until", outcome.will_retry_until);
        }
    }

    fn address(&mut self, name: &str, address: &OriginalRecipient) {
        // Both forms name the type; `utf-8` has an encoding of its own for ASCII (RFC 6533 s3).
        let value = match self.form {
            Form::Global => address.value().to_owned(),
            Form::Ascii if address.addr_type() == "utf-8" => encode_utf8_xtext(address.value()),
            Form::Ascii => self.text(address.value()),
        };
        let value = format!("{};{value}", address.addr_type());
        self.head.exact(name, &value);
    }

    fn mta(&mut self, name: &str, host: Option<&str>) {
        if let Some(host) = host {
            let value = format!("dns; {}", self.text(host));
            self.head.field(name, &value);
        }
    }

    fn exact(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            let value = self.text(value);
            self.head.exact(name, &value);
        }
    }

    fn date(&mut self, name: &str, time: Option<Time>) {
        if let Some(time) = time {
            self.head.field(name, &time.rfc5322().to_string());
        }
    }

    fn text(&self, value: &str) -> String {
        match self.form {
            Form::Global => value.to_owned(),
            Form::Ascii => escape(value, |c| c.is_ascii()),
        }
    }
}

/// Reads the content of the machine-readable part.
pub(super) fn read(content: &[u8], form: Form) -> Result<(PerMessage, Vec<Outcome>), ReportError> {
    let group = Group {
        head: Head::of(content),
        form,
    };
    let message = PerMessage {
        envelope_id: group.text("Original-Envelope-Id"),
        reporting_mta: group
            .mta("Reporting-MTA")
            .ok_or(ReportError::Missing("Reporting-MTA"))?,
        received_from_mta: group.mta("Received-From-MTA"),
        arrival: group.date("Arrival-Date"),
    };
    let mut outcomes = Vec::new();
    let mut rest = content;
    while let Some(end) = find_end(rest) {
        rest = rest.get(end.body..).unwrap_or_default();
        let head = Head::of(rest);
        if head.fields().next().is_none() {
            continue;
        }
        if outcomes.len() == OUTCOMES_MAX {
            break;
        }
        outcomes.push(Group { head, form }.outcome()?);
    }
    if outcomes.is_empty() {
        return Err(ReportError::Missing("Final-Recipient"));
    }
    Ok((message, outcomes))
}

/// One group of fields.
struct Group<'a> {
    head: Head<'a>,
    form: Form,
}

impl Group<'_> {
    fn outcome(&self) -> Result<Outcome, ReportError> {
        let last = self
            .address("Final-Recipient")
            .ok_or(ReportError::Missing("Final-Recipient"))?;
        let action = self
            .text("Action")
            .and_then(|word| Action::from_word(&word));
        let status = self.text("Status").and_then(|text| {
            // Some servers add a comment.
            text.split_whitespace().next()?.parse().ok()
        });
        Ok(Outcome {
            original_recipient: self.address("Original-Recipient"),
            final_recipient: Address::parse(last.value()).map_err(ReportError::Address)?,
            action: action.ok_or(ReportError::Missing("Action"))?,
            status: status.ok_or(ReportError::Missing("Status"))?,
            remote_mta: self.mta("Remote-MTA"),
            diagnostic: self
                .typed("Diagnostic-Code")
                .map(|(kind, text)| Diagnostic { kind, text }),
            last_attempt: self.date("Last-Attempt-Date"),
            will_retry_until: self.date("Will-Retry-Until"),
            final_log_id: self.text("Final-Log-ID"),
        })
    }

    fn address(&self, name: &str) -> Option<OriginalRecipient> {
        let value = self.raw(name)?;
        let (addr_type, value) = value.split_once(';')?;
        let (addr_type, value) = (addr_type.trim(), value.trim());
        if addr_type.eq_ignore_ascii_case("utf-8") && self.form == Form::Ascii {
            let value = decode_unitext(value).ok()?;
            return OriginalRecipient::new(addr_type, &value).ok();
        }
        OriginalRecipient::new(addr_type, &self.unescaped(value)).ok()
    }

    /// The name of a host, whatever kind of name it is said to be.
    fn mta(&self, name: &str) -> Option<String> {
        self.typed(name).map(|(_, host)| host)
    }

    fn typed(&self, name: &str) -> Option<(String, String)> {
        let value = self.text(name)?;
        let (kind, text) = value.split_once(';')?;
        Some((kind.trim().to_owned(), text.trim().to_owned()))
    }

    fn date(&self, name: &str) -> Option<Time> {
        Time::parse_rfc5322(&self.raw(name)?).ok()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.raw(name).map(|value| self.unescaped(&value))
    }

    fn raw(&self, name: &str) -> Option<String> {
        self.head.find(name).map(|field| field.text())
    }

    /// Undoes what [`Writer::text`] did; an escaped ASCII character was never ours.
    fn unescaped(&self, value: &str) -> String {
        if self.form == Form::Global {
            return value.to_owned();
        }
        let mut text = String::with_capacity(value.len());
        let mut rest = value;
        while let Some((before, from)) = rest.find("\\x{").and_then(|at| rest.split_at_checked(at))
        {
            text.push_str(before);
            match unescape(from).filter(|(c, _)| !c.is_ascii() && !c.is_control()) {
                Some((c, after)) => {
                    text.push(c);
                    rest = after;
                }
                None => {
                    text.push('\\');
                    rest = from.get(1..).unwrap_or("");
                }
            }
        }
        text.push_str(rest);
        text
    }
}
