//! Both ends of an SMTP or LMTP dialogue, written for speed: `client` offers, `server` takes.
//!
//! Only what a benchmark needs; neither end is a reference for the protocol. The server end trusts its peer.

pub mod client;
pub mod server;

use clap::ValueEnum;

/// Which of the two dialogues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// RFC 5321: one reply after the message.
    Smtp,
    /// RFC 2033: one reply for each recipient after the message.
    Lmtp,
}
