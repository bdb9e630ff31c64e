//! The server's side of a dialogue: SMTP, submission and LMTP (RFC 5321 s4, RFC 2033).
mod event;
mod features;
pub use event::{BodyRefusal, Counters, Event, Via};
pub use features::{Channel, Features};
