//! Internet messages: addresses, dates, headers, and the reports that tell senders what became of their mail.
//!
//! This room turns bytes into meaning and back. It never looks at a clock, a socket or a file, never judges whether a
//! message is welcome, and never panics on input: every parser is total, takes time linear in its input, and has its
//! limits named.
//!
//! The way through it:
//! - [`date`]: a moment in UTC, in the formats of RFC 3339 and RFC 5322;
//! - [`address`]: mailboxes, domains and the two paths of the envelope (RFC 5321 s4.1.2, RFC 6531);
//! - [`xtext`]: text inside SMTP parameters, and the original recipient (RFC 3461, RFC 6533);
//! - [`enhanced`]: status codes such as `5.1.1` (RFC 3463);
//! - [`header`]: the head of a message, walked and written (RFC 5322, 6532, 2047);
//! - [`received`]: the trace header (RFC 5321 s4.4);
//! - [`report`]: delivery-status reports (RFC 3464, 6522, 6533).
pub mod address;
pub mod date;
pub mod enhanced;
pub mod header;
mod quoted;
pub mod received;
pub mod report;
pub mod xtext;

pub use address::{Address, Domain, DomainName, ForwardPath, ReversePath};
pub use date::Time;
pub use enhanced::{Class, EnhancedStatus};
pub use report::Report;
pub use xtext::OriginalRecipient;
