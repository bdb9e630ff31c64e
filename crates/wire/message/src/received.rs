//! The `Received:` trace header (RFC 5321 s4.4), which says how a message came here.
//!
//! Nothing a peer says can leave its place: names that are not well formed are shown as comments, with everything taken
//! out of them that could end a comment or the line.

use std::fmt::{self, Write};
use std::net::IpAddr;

use crate::address::{Address, Domain};
use crate::date::Time;

#[cfg(test)]
mod tests;

/// The longest token or comment that is taken from a peer, in characters; a host name has at most 255.
pub const TOKEN_MAX: usize = 255;

/// How the dialogue was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// HELO: plain SMTP.
    Helo,
    /// EHLO: SMTP with extensions.
    Ehlo,
    /// LHLO: LMTP.
    Lhlo,
}

/// The protocol the message came by: the `with` clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct With {
    /// How the dialogue was opened.
    pub greeting: Greeting,
    /// Whether it was encrypted (STARTTLS or from the first byte).
    pub tls: bool,
    /// Whether the peer had proved who it is (AUTH).
    pub authenticated: bool,
    /// Whether MAIL had the SMTPUTF8 parameter.
    pub smtputf8: bool,
}

impl With {
    /// The name registered for it (RFC 3848, RFC 6531 s4.3). A HELO dialogue has no extensions, so it is always `SMTP`.
    pub const fn name(self) -> &'static str {
        match (self.greeting, self.smtputf8, self.tls, self.authenticated) {
            (Greeting::Helo, _, _, _) => "SMTP",
            (Greeting::Ehlo, false, false, false) => "ESMTP",
            (Greeting::Ehlo, false, false, true) => "ESMTPA",
            (Greeting::Ehlo, false, true, false) => "ESMTPS",
            (Greeting::Ehlo, false, true, true) => "ESMTPSA",
            (Greeting::Ehlo, true, false, false) => "UTF8SMTP",
            (Greeting::Ehlo, true, false, true) => "UTF8SMTPA",
            (Greeting::Ehlo, true, true, false) => "UTF8SMTPS",
            (Greeting::Ehlo, true, true, true) => "UTF8SMTPSA",
            (Greeting::Lhlo, false, false, false) => "LMTP",
            (Greeting::Lhlo, false, false, true) => "LMTPA",
            (Greeting::Lhlo, false, true, false) => "LMTPS",
            (Greeting::Lhlo, false, true, true) => "LMTPSA",
            (Greeting::Lhlo, true, false, false) => "UTF8LMTP",
            (Greeting::Lhlo, true, false, true) => "UTF8LMTPA",
            (Greeting::Lhlo, true, true, false) => "UTF8LMTPS",
            (Greeting::Lhlo, true, true, true) => "UTF8LMTPSA",
        }
    }
}

/// Where a message came from: the `from` clause.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A peer over the network.
    Peer {
        /// What it called itself in HELO, EHLO or LHLO.
        helo: &'a str,
        /// The name its address has in DNS, when that was looked up and confirmed.
        name: Option<&'a str>,
        /// Its address.
        address: IpAddr,
    },
    /// A person or program on this host, by its login name or number.
    Local {
        /// The login name.
        user: &'a str,
    },
}

/// The facts of one `Received:` field.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Where the message came from.
    pub source: Source<'a>,
    /// This server's name.
    pub by: &'a str,
    /// The protocol; `None` for a message submitted on this host.
    pub with: Option<With>,
    /// The TLS version and cipher, shown as a comment.
    pub tls: Option<&'a str>,
    /// The id under which this server keeps the message.
    pub id: &'a str,
    /// The recipient. Only for a message with one: others are not to be told of each other (RFC 5321 s7.2).
    pub recipient: Option<&'a Address>,
    /// When the message was accepted.
    pub at: Time,
}

/// The whole field, folded, ending in CRLF.
impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Received: ")?;
        self.write_source(f)?;
        write!(f, "\r\n\tby {}", Atom(self.by))?;
        if let Some(with) = self.with {
            write!(f, " with {}", with.name())?;
        }
        if let Some(tls) = self.tls {
            write!(f, " ({})", Comment(tls))?;
        }
        write!(f, "\r\n\tid {}", Atom(self.id))?;
        if let Some(address) = self.recipient.and_then(|recipient| self.shown(recipient)) {
            write!(f, "\r\n\tfor <{address}>")?;
        }
        write!(f, ";\r\n\t{}\r\n", self.at.rfc5322())
    }
}

impl Received<'_> {
    fn write_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (helo, name, address) = match self.source {
            Source::Peer {
                helo,
                name,
                address,
            } => (helo, name, address),
            Source::Local { user } => {
                return write!(f, "from localhost (user {})", Comment(user));
            }
        };
        let literal = Domain::Literal(address);
        match Domain::parse(helo) {
            Ok(domain) => write!(f, "from {} (", domain.to_ascii())?,
            Err(_) => write!(f, "from {literal} (helo {}; ", Comment(helo))?,
        }
        if let Some(name) = name {
            write!(f, "{} ", Comment(name))?;
        }
        write!(f, "{literal})")
    }

    /// The recipient as this message may show it: beyond ASCII only when it came with SMTPUTF8 (RFC 6531 s3.7.3).
    fn shown(&self, recipient: &Address) -> Option<Address> {
        if self.with.is_some_and(|with| with.smtputf8) {
            return Some(recipient.clone());
        }
        recipient.to_ascii()
    }
}

/// A token of ours or a peer's, with whatever is no part of an atom or a domain replaced by `?`.
struct Atom<'a>(&'a str);

impl fmt::Display for Atom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("unknown");
        }
        for c in self.0.chars().take(TOKEN_MAX) {
            let allowed = c.is_ascii_alphanumeric() || "-._[]:+=".contains(c);
            f.write_char(if allowed { c } else { '?' })?;
        }
        Ok(())
    }
}

/// Text inside a comment (RFC 5322 s3.2.2), with whatever could end it replaced by `?`.
struct Comment<'a>(&'a str);

impl fmt::Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(TOKEN_MAX) {
            let allowed = (c.is_ascii_graphic() || c == ' ') && !"()\\".contains(c);
            f.write_char(if allowed { c } else { '?' })?;
        }
        Ok(())
    }
}
