//! What a peer offers: its answer to EHLO or LHLO as a set (RFC 5321 s4.1.1.1).

use super::Reply;
use crate::command::Mechanism;

/// The LIMITS extension (RFC 9422).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Transactions a session.
    pub mail_max: Option<u32>,
    /// Recipients a transaction.
    pub rcpt_max: Option<u32>,
    /// Different recipient domains a transaction.
    pub rcpt_domain_max: Option<u32>,
}

/// What the peer can do. All false after HELO.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EhloResponse {
    /// The peer's name, the first word of its answer.
    pub name: String,
    /// SIZE: `None` not offered, `Some(0)` no limit told (RFC 1870 s4).
    pub size: Option<u64>,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030).
    pub binary_mime: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
    /// AUTH (RFC 4954): the mechanisms we share, in the peer's order.
    pub auth: Vec<Mechanism>,
    /// AUTH was offered, with whatever mechanisms.
    pub auth_offered: bool,
    /// LIMITS (RFC 9422).
    pub limits: Limits,
}

impl EhloResponse {
    /// Reads the lines of a positive answer. Unknown keywords and malformed values are ignored.
    pub fn parse(reply: &Reply) -> EhloResponse {
        let mut lines = reply.lines();
        let greeting = lines.next().unwrap_or_default();
        let mut offer = EhloResponse {
            name: greeting.split(' ').next().unwrap_or_default().to_owned(),
            ..EhloResponse::default()
        };
        for line in lines {
            offer.keyword(line);
        }
        offer
    }

    /// The octets the peer takes at most, when it told a limit.
    pub fn size_limit(&self) -> Option<u64> {
        self.size.filter(|size| *size > 0)
    }

    fn keyword(&mut self, line: &str) {
        // "AUTH=LOGIN PLAIN": the form of drafts before RFC 4954, still sent beside the standard one.
        let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
        let Some(keyword) = words.next() else { return };
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => self.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0)),
            "PIPELINING" => self.pipelining = true,
            "CHUNKING" => self.chunking = true,
            "BINARYMIME" => self.binary_mime = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "DSN" => self.dsn = true,
            "STARTTLS" => self.starttls = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "AUTH" => self.mechanisms(words),
            "LIMITS" => self.limits(line),
            _ => {}
        }
    }

    fn mechanisms<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.auth_offered = true;
        for mechanism in names.filter_map(Mechanism::parse) {
            if !self.auth.contains(&mechanism) {
                self.auth.push(mechanism);
            }
        }
    }

    /// A limit of 0 or one that is no number is ignored (RFC 9422 s3: values are positive).
    fn limits(&mut self, line: &str) {
        for word in line.split_ascii_whitespace().skip(1) {
            let Some((name, value)) = word.split_once('=') else {
                continue;
            };
            let value = value.parse().ok().filter(|value: &u32| *value > 0);
            match name.to_ascii_uppercase().as_str() {
                "MAILMAX" => self.limits.mail_max = value,
                "RCPTMAX" => self.limits.rcpt_max = value,
                "RCPTDOMAINMAX" => self.limits.rcpt_domain_max = value,
                _ => {}
            }
        }
    }
}
