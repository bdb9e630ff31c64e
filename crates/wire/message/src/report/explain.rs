//! The words for a person: what happened, to whom, what was tried, what to do.

use super::{Action, Outcome, Report};
use crate::enhanced::{Class, EnhancedStatus};
use crate::header::{Head, clean};

/// The longest reply of another server that is quoted, in characters.
const QUOTE_MAX: usize = 500;

pub(super) fn explain(report: &Report) -> String {
    let mut text = Words::default();
    text.line(&format!(
        "This is the mail server {}.",
        clean(&report.reporting_mta)
    ));
    text.line("");
    for line in opening(report.kind()) {
        text.line(line);
    }
    text.line("");
    about_message(report, &mut text);
    for outcome in &report.recipients {
        text.line("");
        about_recipient(outcome, &mut text);
    }
    if let Some(link) = &report.status_link {
        text.line("");
        text.line(&format!("See where it is: {}", clean(link)));
    }
    text.line("");
    text.line("The details for programs and the returned message follow.");
    text.lines
}

fn opening(kind: Action) -> &'static [&'static str] {
    match kind {
        Action::Failed => &[
            "Your message could not be delivered to the recipients below.",
            "It has been given up for them: nothing more will be tried.",
        ],
        Action::Delayed => &[
            "Your message has not been delivered yet to the recipients below.",
            "It is kept and tried again; you need not send it again.",
        ],
        Action::Delivered => &["Your message was delivered, as you asked to be told."],
        Action::Relayed => &[
            "Your message was handed on to a server that does not report deliveries.",
            "You will hear again only if something goes wrong.",
        ],
        Action::Expanded => &[
            "Your message was handed on to several recipients on behalf of the one below.",
            "You will hear again only if something goes wrong.",
        ],
    }
}

fn about_message(report: &Report, text: &mut Words) {
    let head = Head::of(report.original.bytes());
    text.fact("Subject", head.subject());
    text.fact("Message-ID", head.message_id());
    text.fact(
        "Accepted",
        report.arrival.map(|time| time.rfc5322().to_string()),
    );
    text.fact("Your envelope id", report.envelope_id.clone());
}

fn about_recipient(outcome: &Outcome, text: &mut Words) {
    let address = outcome.final_recipient.to_string();
    text.line(&format!("<{address}>"));
    let original = outcome.original_recipient.as_ref();
    if let Some(original) = original.filter(|original| original.value() != address) {
        text.fact("You wrote to", Some(original.value().to_owned()));
    }
    text.fact("What happened", Some(what_happened(outcome)));
    let attempt = outcome.last_attempt.map(|time| time.rfc5322().to_string());
    match (&outcome.remote_mta, attempt) {
        (Some(host), Some(at)) => text.fact("Last tried", Some(format!("{at}, at {host}"))),
        (Some(host), None) => text.fact("Last tried", Some(format!("at {host}"))),
        (None, at) => text.fact("Last tried", at),
    }
    let answer = outcome.diagnostic.as_ref();
    text.fact(
        "The answer",
        answer.map(|diagnostic| shortened(&diagnostic.text)),
    );
    if outcome.action == Action::Delayed {
        let until = outcome.will_retry_until;
        text.fact("Tried until", until.map(|time| time.rfc5322().to_string()));
    }
    text.fact("What to do", what_to_do(outcome).map(str::to_owned));
}

fn what_happened(outcome: &Outcome) -> String {
    let status = outcome.status;
    let fallback = match outcome.action {
        Action::Delivered => "the message is in the mailbox",
        Action::Relayed => "the message was handed on",
        Action::Expanded => "the message was handed on to several recipients",
        Action::Delayed => "the message could not be handed over yet",
        Action::Failed => "the message could not be handed over",
    };
    let meaning = match status.class() {
        Class::Success => None,
        Class::Temporary | Class::Permanent => status.meaning(),
    };
    format!("{} ({status})", meaning.unwrap_or(fallback))
}

fn what_to_do(outcome: &Outcome) -> Option<&'static str> {
    match outcome.action {
        Action::Delivered | Action::Relayed | Action::Expanded => None,
        Action::Delayed => Some("nothing; you will be told if it is given up"),
        Action::Failed => Some(remedy(outcome.status)),
    }
}

fn remedy(status: EnhancedStatus) -> &'static str {
    match (status.subject(), status.detail()) {
        (1, 6) | (2, 1) => "ask the recipient, by other means, for an address that works",
        (1, 7 | 8) => "have your own address looked at by whoever runs your mail server",
        (1, _) => "check the address for mistakes, then send the message again",
        (2, 2) => "tell the recipient, by other means, to make room; then send the message again",
        (2 | 3, 3 | 4) => "send a smaller message, or pass large files on in another way",
        (4, _) => "check the domain of the address for mistakes; else try again tomorrow",
        (6, _) => "send the message in a simpler form, without attachments",
        (7, _) => "ask the recipient's postmaster, by other means, why it was refused",
        _ => "send the message again later; if that fails too, ask your postmaster",
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(QUOTE_MAX).collect()
}

/// Lines of text, each ending in CRLF.
#[derive(Default)]
struct Words {
    lines: String,
}

impl Words {
    fn line(&mut self, line: &str) {
        self.lines.push_str(line);
        self.lines.push_str("\r\n");
    }

    fn fact(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.line(&format!("    {name}: {}", clean(&value)));
        }
    }
}
