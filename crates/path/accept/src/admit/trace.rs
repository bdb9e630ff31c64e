//! The trace header that goes on top (RFC 5321 s4.4).

use std::fmt::Write;

use bytes::BytesMut;
use path_ledger::MessageId;
use wire_message::Time;
use wire_message::received::{Received, Source, With};

use super::Draft;

/// Writes the `Received:` field of `draft`.
pub(crate) fn write(draft: &Draft, id: MessageId, at: Time, out: &mut BytesMut) {
    let arrival = &draft.arrival;
    let source = match arrival.peer {
        Some(peer) => Source::Peer {
            helo: &arrival.helo,
            name: None,
            address: peer.ip().to_canonical(),
        },
        None => Source::Local {
            user: &arrival.helo,
        },
    };
    let with = arrival.greeting.map(|greeting| With {
        greeting,
        tls: arrival.tls.is_some(),
        authenticated: arrival.login.is_some(),
        smtputf8: draft.mail.smtputf8,
    });
    let id = id.to_string();
    let received = Received {
        source,
        by: draft.settings.server.hostname.as_str(),
        with,
        tls: arrival.tls.as_deref(),
        id: &id,
        recipient: draft.recipients.only(),
        at,
    };
    // Writing to memory cannot fail.
    if write!(out, "{received}").is_err() {
        tracing::error!(%id, "the trace header was not written");
    }
}
