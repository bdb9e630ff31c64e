//! The client's side of a dialogue, SMTP and LMTP (RFC 5321 s3, RFC 2033).
//!
//! The driver appends what it reads to `input`, calls `poll` until it gives nothing, sends `output`, and reads again.

mod event;
mod transaction;

pub use event::{Chunk, Closed, Event, ProtocolFault};
pub use transaction::{Fate, HandOver, Report, Step, Transaction, Unmet};
