//! SMTP and LMTP: commands, replies and the two dialogues as machines without I/O.
//!
//! For: whoever receives or sends mail. A driver owns the socket, the clock and the decisions; the machines own the
//! protocol. Bytes from the peer go in, events come out, and bytes for the peer come out; nothing here waits.
//! Never: sockets, time, tokio, directories, policy.
//!
//! The way through: [`command`] and [`reply`] are the words, [`body`] the content on the wire, [`server`] and
//! [`client`] the two dialogues, [`proxy`] the header a load balancer puts in front.
//!
//! Limits: every line, reply, header and list has a named bound where it is read ([`command::COMMAND_LINE`],
//! [`reply::REPLY_LINE`], [`body::TEXT_LINE`], [`proxy::MAX_HEADER`]). Only CRLF ends a line and only
//! CRLF.CRLF ends a message, in both directions.

pub mod body;
pub mod client;
pub mod command;
pub mod proxy;
pub mod reply;
pub mod server;
