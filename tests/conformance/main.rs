//! Postrider among the programs it will meet: real clients and real servers, as Debian ships them.
//!
//! **For what.** One file for each peer. Every test looks at the end: the message stands byte-true where it should,
//! `postrider trace` tells its story, `postrider audit` adds up, with the server up and with the server down.
//!
//! **The way through.** `postrider.rs` runs the server under test and asks it · `letter.rs` is a message that is easily
//! damaged, and what a server may put on top of it · `program.rs` finds, runs and ends the peers.
//!
//! **Never.** No peer uses the system's configuration, folders or ports: each is a private instance in a temporary folder. No
//! test is skipped: a program that is missing fails its test, which says how to get it (`./test` installs them all).
//!
//! **Limits.** Postfix, Exim and Dovecot change their user, so those tests want root.
#![expect(
    clippy::indexing_slicing,
    reason = "a test that cannot find a field of what the server printed must fail"
)]

mod curl;
mod dovecot;
mod exim;
mod letter;
mod msmtp;
mod postfix;
mod postrider;
mod program;
mod promtool;
mod schemathesis;
mod smtp_source;
mod smtplib;
mod swaks;
