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
//! - [`enhanced`]: status codes such as `5.1.1` (RFC 3463).
pub mod address;
pub mod date;
pub mod enhanced;
pub mod xtext;

pub use address::{Address, Domain, DomainName, ForwardPath, ReversePath};
pub use date::Time;
pub use enhanced::{Class, EnhancedStatus};
pub use xtext::OriginalRecipient;
