//! How much of everything is taken.

use crate::define::{always, default, range, section};
use crate::form::{Size, kib, mb};

section! {
    /// How much of everything is taken. Those that a listener has too are its defaults.
    pub struct Limits = "limits", always;

    /// Largest message accepted, announced as SIZE (RFC 1870). A server must take 64 KB at least (RFC 5321 s4.5.3.1.7).
    message_size: Size = default(mb(50)), range(kib(1), mb(2000));

    /// Recipients of one message; more are answered 452 4.5.3, and the client sends them in the next transaction.
    /// A server must take 100 at least (RFC 5321 s4.5.3.1.8).
    max_recipients: u32 = default(1000), range(1, 100_000).of("recipients");

    /// Longest command line with its CRLF; a longer one is answered 500 and skipped. RFC 5321 s4.5.3.1.4 asks for 512 at least.
    /// What the extensions we offer add comes on top (673 bytes for MAIL, 528 for RCPT; RFC 1870, 3461, 4954, 6152, 6531), and
    /// AUTH has 12,288 at least (RFC 4954 s4).
    max_command_length: u32 = default(4096), range(512, 65_536).of("bytes");

    /// Longest line of a message. RFC 5322 s2.1.1 allows 998 and its end; real mail has longer ones.
    max_line_length: u32 = default(65_536), range(1000, 16_777_216).of("bytes");

    /// Commands of one session; then it is closed with 421.
    max_commands: u32 = default(10_000), range(5, 10_000_000).of("commands");

    /// Refused or unknown commands of one session; then it is closed with 421.
    max_errors: u32 = default(20), range(1, 10_000).of("errors");

    /// Sessions at one time on all listeners together; one more is answered 421 and closed.
    max_sessions: u32 = default(5000), range(1, 1_000_000).of("sessions");

    /// Sessions at one time from one IP address; one more is answered 421 and closed.
    max_sessions_per_peer: u32 = default(200), range(1, 1_000_000).of("sessions");

    /// `Received:` headers a message may have; more is a loop (RFC 5321 s6.3 asks for 100 at least; differs: real loops are found sooner).
    max_received_headers: u32 = default(50), range(1, 1000).of("headers");

    /// Recipients waiting in the ledger; when it is full, new mail is answered 452 4.3.1 until it drains.
    queued_recipients: u64 = default(5_000_000), range(1, 1_000_000_000).of("recipients");

    /// Free disk below which new mail is answered 452 4.3.1, so that what is accepted can be delivered.
    min_free_disk: Size = default(mb(200)), range(Size(0), mb(1_000_000));
}
