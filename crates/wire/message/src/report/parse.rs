//! A message becomes a report: for tests, for tools, and for what other servers tell us.

use bytes::Bytes;

use super::fields::{self, Form};
use super::part::{self, Part};
use super::{Original, Report};
use crate::address::{Address, AddressError, split_path};
use crate::header::{Head, find_end};
use crate::quoted;

/// Why a message cannot be read as a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It is not `multipart/report`, or has no boundary.
    #[error("not a multipart/report")]
    NotAReport,
    /// It lacks one of its parts.
    #[error("the part {0} is missing")]
    NoPart(&'static str),
    /// It lacks a field, or the field cannot be read.
    #[error("the field {0} is missing or cannot be read")]
    Missing(&'static str),
    /// It names a mailbox that cannot be read.
    #[error("not an address: {0}")]
    Address(#[from] AddressError),
}

pub(super) fn parse(message: &[u8]) -> Result<Report, ReportError> {
    let head = Head::of(message);
    let parts = parts(message, &head)?;
    let mut parts = parts.iter();
    let text = parts.next().ok_or(ReportError::NoPart("text"))?;
    let status = parts.next().ok_or(ReportError::NoPart("delivery-status"))?;
    let (about, recipients) = fields::read(status.content, form(status)?)?;
    let id = head
        .message_id()
        .ok_or(ReportError::Missing("Message-ID"))?;
    Ok(Report {
        from: mailbox(&head, "From")?,
        to: mailbox(&head, "To")?,
        message_id: id.trim_matches(['<', '>']).to_owned(),
        date: head.date().ok_or(ReportError::Missing("Date"))?,
        text: Some(words(text)),
        status_link: None,
        envelope_id: about.envelope_id,
        reporting_mta: about.reporting_mta,
        received_from_mta: about.received_from_mta,
        arrival: about.arrival,
        recipients,
        original: original(parts.next())?,
    })
}

fn parts<'a>(message: &'a [u8], head: &Head<'a>) -> Result<Vec<Part<'a>>, ReportError> {
    let content_type = head.find("Content-Type").ok_or(ReportError::NotAReport)?;
    let content_type = content_type.text();
    let media = content_type.split(';').next().unwrap_or("").trim();
    if !media.eq_ignore_ascii_case("multipart/report") {
        return Err(ReportError::NotAReport);
    }
    let boundary = part::parameter(&content_type, "boundary").ok_or(ReportError::NotAReport)?;
    let body = find_end(message).map_or(message.len(), |end| end.body);
    let body = message.get(body..).unwrap_or_default();
    Ok(part::split(body, &boundary))
}

fn form(status: &Part<'_>) -> Result<Form, ReportError> {
    match status.media_type().as_str() {
        "message/delivery-status" => Ok(Form::Ascii),
        "message/global-delivery-status" => Ok(Form::Global),
        _ => Err(ReportError::NoPart("delivery-status")),
    }
}

fn words(part: &Part<'_>) -> String {
    let bytes = if part.is_quoted_printable() {
        quoted::decode(part.content)
    } else {
        part.content.to_vec()
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

fn original(part: Option<&Part<'_>>) -> Result<Original, ReportError> {
    // RFC 6522 s3: the third part may be left out.
    let Some(part) = part else {
        return Ok(Original::headers(b""));
    };
    match part.media_type().as_str() {
        "text/rfc822-headers" | "message/global-headers" => Ok(Original::headers(part.content)),
        "message/rfc822" | "message/global" => {
            Ok(Original::full(Bytes::copy_from_slice(part.content)))
        }
        _ => Err(ReportError::NoPart("original")),
    }
}

/// The mailbox in a field: what stands in angle brackets, or all of it.
fn mailbox(head: &Head<'_>, name: &'static str) -> Result<Address, ReportError> {
    let field = head.find(name).ok_or(ReportError::Missing(name))?;
    let value = field.text();
    let bracketed = bracket(&value)
        .and_then(|at| value.get(at..))
        .and_then(split_path);
    let inner = bracketed.and_then(|(path, _)| path.get(1..path.len() - 1));
    Ok(Address::parse(inner.unwrap_or(&value))?)
}

/// Where the first `<` outside quotes is.
fn bracket(value: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    value.bytes().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte => return byte == b'<' && !quoted,
        }
        false
    })
}
