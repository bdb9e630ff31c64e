//! How long we wait for a peer, by phase (RFC 5321 s4.5.3.2).

use std::time::Duration;

use crate::define::{always, default, range, section};
use crate::form::{hours, minutes, seconds};

section! {
    /// How long we wait for a peer, by phase. Those that start with `server_` are for sessions that come in, the rest for our own deliveries. The defaults are RFC 5321 s4.5.3.2's.
    pub struct Timeouts = "timeouts", always;

    /// For the next command of a client.
    server_command: Duration = default(minutes(5)), range(seconds(1), hours(1));

    /// For the next piece of a message from a client.
    server_data_block: Duration = default(minutes(3)), range(seconds(1), hours(1));

    /// For a whole session; then it is closed with 421 between two commands.
    server_session: Duration = default(hours(2)), range(seconds(10), hours(48));

    /// For a TLS handshake, both ways.
    tls_handshake: Duration = default(seconds(30)), range(seconds(1), minutes(10));

    /// For a TCP connection to one address.
    connect: Duration = default(seconds(30)), range(seconds(1), minutes(10));

    /// For the server's greeting.
    greeting: Duration = default(minutes(5)), range(seconds(1), hours(1));

    /// For the answer to EHLO, HELO, LHLO, STARTTLS and AUTH.
    ehlo: Duration = default(minutes(5)), range(seconds(1), hours(1));

    /// For the answer to MAIL.
    mail: Duration = default(minutes(5)), range(seconds(1), hours(1));

    /// For the answer to RCPT.
    rcpt: Duration = default(minutes(5)), range(seconds(1), hours(1));

    /// For the answer to DATA.
    data_init: Duration = default(minutes(2)), range(seconds(1), hours(1));

    /// For the peer to take the next piece of a message.
    data_block: Duration = default(minutes(3)), range(seconds(1), hours(1));

    /// For the answer to a whole message. Too short a wait here makes duplicates (RFC 1047).
    data_end: Duration = default(minutes(10)), range(seconds(1), hours(2));

    /// For one attempt at a message, whatever its phases would allow together. `data_end` comes on top, and a second for each
    /// 8 KiB of the message.
    attempt: Duration = default(minutes(30)), range(seconds(10), hours(24));

    /// For the ledger to take what became of an attempt. Until then the message stays claimed; past it, its outcome is shown as
    /// unknown.
    settle: Duration = default(minutes(10)), range(seconds(30), hours(24));

    /// For the answer to QUIT; the mail is safe by then.
    quit: Duration = default(seconds(10)), range(seconds(1), minutes(5));

    /// How long a connection is kept open for the next message to the same next hop.
    idle: Duration = default(seconds(5)), range(seconds(0), minutes(5));
}
