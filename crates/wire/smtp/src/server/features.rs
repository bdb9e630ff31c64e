//! What a listener offers and demands: the machine's configuration.

use crate::body::TEXT_LINE;
use crate::command::{Dialect, LineLimit, Mechanism};

/// The configuration of one server dialogue. Cheap to share: the machine keeps an `Arc` of it.
#[derive(Debug, Clone)]
pub struct Features {
    /// Which protocol is spoken.
    pub dialect: Dialect,
    /// Our name, in the greeting and in the answer to EHLO.
    pub hostname: String,
    /// Octets a message may have; told by SIZE and enforced (RFC 1870). 0: no limit.
    pub max_size: u64,
    /// Recipients a transaction may have; told by LIMITS (RFC 9422), above it 452 4.5.3. 0: no limit.
    pub max_recipients: u32,
    /// How long a command may be; longer ones are refused with 500 (RFC 5321 s4.5.3.1.9) and skipped.
    pub max_command_line: LineLimit,
    /// Octets of a text line without CRLF. RFC 5321 s4.5.3.1.6 asks for 998; more is tolerance.
    pub max_text_line: usize,
    /// Whether STARTTLS is offered while the connection is in the clear.
    pub starttls: bool,
    /// 530 to everything but NOOP, EHLO, STARTTLS and QUIT before TLS (RFC 3207 s4).
    pub require_tls: bool,
    /// Mechanisms offered; empty: no AUTH.
    pub auth: Vec<Mechanism>,
    /// Whether AUTH may be used in the clear. Only for tests and loopback.
    pub auth_in_clear: bool,
    /// 530 to MAIL before AUTH (RFC 6409 s4.3).
    pub require_auth: bool,
    /// CHUNKING and BDAT (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME; needs `chunking`.
    pub binary_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
}

impl Features {
    /// Everything on but TLS and AUTH, with the limits of RFC 5321.
    pub fn new(dialect: Dialect, hostname: impl Into<String>) -> Features {
        Features {
            dialect,
            hostname: hostname.into(),
            max_size: 0,
            max_recipients: 0,
            max_command_line: LineLimit::default(),
            max_text_line: TEXT_LINE,
            starttls: false,
            require_tls: false,
            auth: Vec::new(),
            auth_in_clear: false,
            require_auth: false,
            chunking: true,
            binary_mime: true,
            smtputf8: true,
            dsn: true,
        }
    }
}

/// Whether the octets are protected on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// In the clear.
    Clear,
    /// Under TLS.
    Tls,
}
