//! One attempt: dial, speak, hand over, note the exact reply.
//!
//! **For what.** The queue says what is to be tried now; this crate tries it once and reports what happened to each
//! recipient, with the peer's own words and the facts for the history. One file for each way out: [`smtp`] (LMTP is the
//! same dialogue with an answer for each recipient) and [`mailbox`].
//!
//! **The way through.** [`smtp::Session::open`] walks the addresses of the best server, then the next server's, until one
//! stands greeted, secured and logged in; [`smtp::Session::attempt`] carries one job over it and can be called again;
//! [`smtp::Session::close`] says goodbye. [`mailbox::Door::attempt`] prepares the writes that put a job's copies into
//! mailboxes, to be stored with the settlement.
//!
//! **Never.** Nothing is decided here: no retry time, no report, no bounce. Nothing is written to the ledger. A password
//! never crosses the wire in the clear. A message of which part was sent is never completed unless it was read whole and
//! as stored.
//!
//! **Differs.** Content with octets above 127 for a peer without 8BITMIME is refused with 5.6.3, as is binary content for a
//! peer without BINARYMIME, and an internationalized envelope for a peer without SMTPUTF8 with 5.6.7: some servers recode
//! the content instead, which breaks signatures (RFC 6376 s5.3) for peers that have become rare. An address whose domain
//! alone is internationalized goes out with A-labels.
//!
//! **Limits.** [`smtp::DIALS_MAX`], [`smtp::OPEN_MAX`], [`smtp::RECIPIENTS_MAX`], [`TRANSCRIPT_MAX`]; every wait on a peer
//! ends by `[timeouts]`, and an attempt as a whole by [`smtp::attempt_limit`].

pub mod mailbox;
mod report;
pub mod smtp;
mod story;

pub use report::{Afterwards, Dsn, Facts, Fate, Report};
pub use story::TRANSCRIPT_MAX;
