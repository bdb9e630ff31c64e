//! Where mail comes in, and where the administration is reached.

use std::net::SocketAddr;

use crate::define::{any, default, given, line, range, required, section, words};
use crate::form::{Cidr, Endpoint, Size, kib, mb};
use crate::read::Agreement;
use crate::section::Limits;

words! {
    /// What a listener speaks.
    pub enum Protocol {
        /// Mail from other servers (RFC 5321).
        Smtp = "smtp",
        /// Mail from our own users (RFC 6409).
        Submission = "submission",
        /// Mail from a server that trusts us with each recipient (RFC 2033).
        Lmtp = "lmtp",
        /// The administration: web pages and HTTP API. Operators log in; see `postrider operator`.
        Http = "http",
    }
    // Nobody finds out from silence that nothing listens.
    absent {
        "imap" = "remove this listener; mail is read with: postrider mail",
        "pop3" = "remove this listener; mail is read with: postrider mail",
    }
}

words! {
    /// How a listener encrypts.
    pub enum ListenerTls {
        /// Never.
        Off = "off",
        /// When the client asks for it.
        Starttls = "starttls",
        /// From the first byte.
        Implicit = "implicit",
    }
}

words! {
    /// Whether clients log in. AUTH is offered over TLS only.
    pub enum Auth {
        /// They cannot.
        Off = "off",
        /// They may; who does, may relay.
        Optional = "optional",
        /// They must, before MAIL.
        Required = "required",
    }
}

words! {
    /// Which sender a client that logged in may give (MAIL FROM). `From:` is not looked at.
    pub enum AuthenticatedSender {
        /// An address that is theirs: the account's own, with or without a tag, or one whose mail comes to the account by an alias or a catch-all. Or the null sender.
        Own = "own",
        /// Whatever they like: for programs that send for many people.
        Any = "any",
    }
}

section! {
    /// Where mail comes in, and where the administration is reached: one section for each address. A reload opens, closes and moves listeners, all that
    /// are asked for or none: when one cannot be opened everything stays as it was, the reload says which and why, and is not
    /// tried again by itself. Sessions of a listener that moved go on; those of one that is gone are told 421 between two
    /// messages. A session keeps the protocol and the encryption it began with, and takes up the rest with its next message.
    pub struct Listener = "listener" of name, agree;

    /// Name of the listener, in the ledger and the log.
    name: String = required("mx".to_owned()), line(1, 64);

    /// What it speaks.
    protocol: Protocol = required(Protocol::Smtp), any();

    /// Where it listens. A Unix socket is for LMTP.
    address: Endpoint = required(Endpoint::Tcp(SocketAddr::from(([127, 0, 0, 1], 2525)))), any();

    /// How it encrypts. Unset: "off" for LMTP and for HTTP on a loopback address, "implicit" for HTTP elsewhere, "starttls" for the rest.
    tls: Option<ListenerTls> = default(None), any();

    /// Whether each connection starts with a PROXY protocol header (v1 or v2) that names the real client. Only for a port that nobody but the proxy can reach.
    proxy_protocol: bool = default(false), any();

    /// Whether clients log in to send mail. Unset: "required" for submission, "off" for the rest.
    auth: Option<Auth> = default(None), any();

    /// Which sender a client that logged in may give (MAIL FROM); others are answered 553 5.7.1. `From:` is not looked at.
    authenticated_sender: AuthenticatedSender = default(AuthenticatedSender::Own), any();

    /// Networks whose clients may relay without logging in. Empty: relay is closed.
    relay_from: Vec<Cidr> = default(Vec::new()), any();

    /// What follows the hostname in the greeting.
    greeting: String = default("Postrider".to_owned()), line(0, 200);

    /// Largest message accepted here. Unset: as in `[limits]`.
    message_size: Option<Size> = default(None), given(range(kib(1), mb(2000)));

    /// Recipients of one message. Unset: as in `[limits]`.
    max_recipients: Option<u32> = default(None), given(range(1, 100_000)).of("recipients");

    /// Longest command line. Unset: as in `[limits]`.
    max_command_length: Option<u32> = default(None), given(range(512, 65_536)).of("bytes");

    /// Longest line of a message. Unset: as in `[limits]`.
    max_line_length: Option<u32> = default(None), given(range(1000, 16_777_216)).of("bytes");

    /// Commands of one session. Unset: as in `[limits]`.
    max_commands: Option<u32> = default(None), given(range(5, 10_000_000)).of("commands");

    /// Refused or unknown commands of one session. Unset: as in `[limits]`.
    max_errors: Option<u32> = default(None), given(range(1, 10_000)).of("errors");

    /// Sessions at one time on this listener. Unset: only the total of `[limits]` counts.
    max_sessions: Option<u32> = default(None), given(range(1, 1_000_000)).of("sessions");

    /// Sessions at one time from one IP address. Unset: as in `[limits]`.
    max_sessions_per_peer: Option<u32> = default(None), given(range(1, 1_000_000)).of("sessions");
}

impl Listener {
    /// How this listener encrypts, by its own word or its protocol's.
    pub fn tls(&self) -> ListenerTls {
        self.tls.unwrap_or(match self.protocol {
            Protocol::Lmtp => ListenerTls::Off,
            Protocol::Smtp | Protocol::Submission => ListenerTls::Starttls,
            Protocol::Http if self.is_loopback() => ListenerTls::Off,
            Protocol::Http => ListenerTls::Implicit,
        })
    }

    /// Whether clients log in here, by its own word or its protocol's.
    pub fn auth(&self) -> Auth {
        self.auth.unwrap_or(match self.protocol {
            Protocol::Submission => Auth::Required,
            Protocol::Smtp | Protocol::Lmtp | Protocol::Http => Auth::Off,
        })
    }

    /// Whether only this machine can reach it.
    fn is_loopback(&self) -> bool {
        match &self.address {
            Endpoint::Tcp(address) => address.ip().is_loopback(),
            Endpoint::Unix(_) => true,
        }
    }

    /// The limits that hold here: its own, else those of `[limits]`.
    pub fn limits(&self, limits: &Limits) -> Limits {
        Limits {
            message_size: self.message_size.unwrap_or(limits.message_size),
            max_recipients: self.max_recipients.unwrap_or(limits.max_recipients),
            max_command_length: self.max_command_length.unwrap_or(limits.max_command_length),
            max_line_length: self.max_line_length.unwrap_or(limits.max_line_length),
            max_commands: self.max_commands.unwrap_or(limits.max_commands),
            max_errors: self.max_errors.unwrap_or(limits.max_errors),
            max_sessions: self.max_sessions.unwrap_or(limits.max_sessions),
            max_sessions_per_peer: self
                .max_sessions_per_peer
                .unwrap_or(limits.max_sessions_per_peer),
            ..limits.clone()
        }
    }
}

fn agree(listener: &Listener, agreement: &mut Agreement<'_>) {
    let protocol = listener.protocol;
    if listener.auth() != Auth::Off && listener.tls() == ListenerTls::Off {
        agreement.complain(
            &["tls", "auth", "protocol"],
            "clients log in here, and passwords never cross the wire in the clear",
            r#"set tls = "starttls" or "implicit", or auth = "off""#,
        );
    }
    if protocol == Protocol::Http {
        agree_on_http(listener, agreement);
    }
    if !matches!(listener.address, Endpoint::Unix(_)) {
        return;
    }
    if protocol != Protocol::Lmtp {
        agreement.complain(
            &["address", "protocol"],
            format!("a Unix socket is for LMTP, and this listener speaks {protocol}"),
            r#"write an IP address and a port, or protocol = "lmtp""#,
        );
    }
    if listener.proxy_protocol {
        agreement.complain(
            &["proxy_protocol", "address"],
            "a Unix socket has no proxy before it",
            "remove proxy_protocol",
        );
    }
}

fn agree_on_http(listener: &Listener, agreement: &mut Agreement<'_>) {
    match listener.tls() {
        ListenerTls::Starttls => agreement.complain(
            &["tls", "protocol"],
            "HTTP has no STARTTLS",
            r#"set tls = "implicit""#,
        ),
        ListenerTls::Off if !listener.is_loopback() => agreement.complain(
            &["tls", "address", "protocol"],
            "operators log in here, and passwords never cross the wire in the clear",
            r#"set tls = "implicit", or listen on 127.0.0.1 behind a proxy that encrypts"#,
        ),
        ListenerTls::Off | ListenerTls::Implicit => {}
    }
    if listener.auth() != Auth::Off {
        agreement.complain(
            &["auth", "protocol"],
            "auth is about sending mail; operators always log in",
            "remove auth",
        );
    }
}
