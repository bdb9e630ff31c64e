//! A report becomes a message: `multipart/report` with its three parts (RFC 6522 s3).

use std::borrow::Cow;

use super::fields::{self, Form};
use super::{Action, Composed, Extent, Report, part};
use crate::header::{Head, HeadWriter, encode_words};
use crate::quoted;

/// The longest subject of an original that is repeated in the subject of its report, in characters.
const SUBJECT_MAX: usize = 120;

/// The content of a part and how it is announced.
struct Content<'a> {
    media_type: &'static str,
    description: &'static str,
    encoding: &'static str,
    bytes: Cow<'a, [u8]>,
}

pub(super) fn compose(report: &Report) -> Composed {
    let contents = [words(report), status(report), original(report)];
    let eight_bit = contents.iter().any(|content| content.encoding == "8bit");
    let boundary = part::boundary(&[&contents[0].bytes, &contents[1].bytes, &contents[2].bytes]);
    let international = !(report.to.is_ascii() && report.from.is_ascii());
    let mut bytes = head(report, &boundary, eight_bit || international).into_bytes();
    let smtputf8 = !bytes.is_ascii();
    for content in &contents {
        let mut head = HeadWriter::new();
        head.field("Content-Type", content.media_type)
            .field("Content-Description", content.description)
            .field("Content-Transfer-Encoding", content.encoding)
            .end();
        bytes.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        bytes.extend_from_slice(head.as_str().as_bytes());
        bytes.extend_from_slice(&content.bytes);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Composed {
        eight_bit: !bytes.is_ascii(),
        smtputf8,
        bytes,
    }
}

fn head(report: &Report, boundary: &str, eight_bit: bool) -> String {
    let original = Head::of(report.original.bytes());
    let mut head = HeadWriter::new();
    head.exact("From", &format!("Mail Delivery System <{}>", report.from))
        .exact("To", &format!("<{}>", report.to))
        .field("Subject", &encode_words(&subject(report.kind(), &original)))
        .field("Date", &report.date.rfc5322().to_string())
        .field("Message-ID", &format!("<{}>", report.message_id));
    if let Some(id) = original.message_id().filter(|id| is_message_id(id)) {
        // RFC 3834 s3.1.5: so that it is shown beside what it is about.
        head.field("In-Reply-To", &id).field("References", &id);
    }
    // RFC 3834 s5: nobody is to answer this automatically.
    head.field("Auto-Submitted", "auto-replied")
        .field("MIME-Version", "1.0")
        .field(
            "Content-Type",
            &format!("multipart/report; report-type=delivery-status; boundary=\"{boundary}\""),
        );
    if eight_bit {
        head.field("Content-Transfer-Encoding", "8bit");
    }
    head.end();
    head.into_string()
}

/// Whether the text of a Message-ID field can stand in ours as it is.
fn is_message_id(id: &str) -> bool {
    let inner = id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
    inner.is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic()))
}

fn subject(kind: Action, original: &Head<'_>) -> String {
    let news = match kind {
        Action::Failed => "Not delivered",
        Action::Delayed => "Delayed, still trying",
        Action::Delivered => "Delivered",
        Action::Relayed => "Handed on",
        Action::Expanded => "Handed on to several recipients",
    };
    match original.subject().filter(|subject| !subject.is_empty()) {
        Some(subject) => {
            let subject: String = subject.chars().take(SUBJECT_MAX).collect();
            format!("{news}: {subject}")
        }
        None => news.to_owned(),
    }
}

fn words(report: &Report) -> Content<'_> {
    let text = match &report.text {
        Some(text) => text.clone(),
        None => report.explain(),
    };
    let (encoding, text) = if quoted::is_plain(&text) {
        ("7bit", text)
    } else {
        ("quoted-printable", quoted::encode(&text))
    };
    Content {
        media_type: "text/plain; charset=utf-8",
        description: "What happened",
        encoding,
        bytes: text.into_bytes().into(),
    }
}

fn status(report: &Report) -> Content<'_> {
    let form = fields::form(report);
    let text = fields::write(report, form);
    Content {
        media_type: match form {
            Form::Ascii => "message/delivery-status",
            Form::Global => "message/global-delivery-status",
        },
        description: "Delivery report",
        encoding: encoding(text.as_bytes()),
        bytes: text.into_bytes().into(),
    }
}

/// RFC 6533 s4: the global types when the head needs UTF-8. A head that is neither ASCII nor UTF-8 passes as it is.
fn original(report: &Report) -> Content<'_> {
    let bytes = report.original.bytes();
    let head = Head::of(bytes).bytes();
    let global = !head.is_ascii() && std::str::from_utf8(head).is_ok();
    let (media_type, description) = match (report.original.extent(), global) {
        (Extent::Headers, false) => ("text/rfc822-headers", "Head of the message"),
        (Extent::Headers, true) => ("message/global-headers", "Head of the message"),
        (Extent::Full, false) => ("message/rfc822", "The message"),
        (Extent::Full, true) => ("message/global", "The message"),
    };
    Content {
        media_type,
        description,
        encoding: encoding(bytes),
        bytes: bytes.into(),
    }
}

fn encoding(bytes: &[u8]) -> &'static str {
    if bytes.is_ascii() { "7bit" } else { "8bit" }
}
