//! Routing: which way does a domain's mail go?
//!
//! **For what.** Twice in a recipient's life somebody asks for the way:
//!
//! 1. [`route`], when it is queued: which next hop does its domain belong to? Pure; a [`Route`] and its reason.
//! 2. [`plan`] and [`targets`], at each attempt: what do the settings of this moment say about that next hop (protocol, TLS,
//!    login, source address, limits), and which addresses does the DNS give for it, in which order?
//!
//! Nothing of the second is ever stored with the mail, so a changed password, TLS policy or MX record holds from the next
//! attempt on.
//!
//! **Which connector.** The closest address space wins (`partner.test`, then `*.partner.test`, the longer the closer, then
//! `*`); among equals the lowest cost; among those the one that stands first in the file. No connector: MX.
//!
//! **Which servers** (RFC 5321 s5.1). MX hosts by preference, in random order within one preference; without MX records the
//! domain's own addresses; a null MX (RFC 7505) is final, and so is a domain that does not exist, after a second look.
//! Everything else the DNS cannot tell is temporary. Where this server stands in the list itself, its preference and all
//! worse ones are left out, so that mail does not run in a circle.
//!
//! **Never.** No connection is made here, no message is looked at, nothing is written. A failure is never just "no way": a
//! [`NoWay`] says whose move it is and carries the reply for the ledger.
//!
//! **Limits.** [`HOSTS_MAX`], [`ADDRESSES_MAX`], [`TARGETS_DEADLINE`].

mod noway;
mod plan;
mod route;
mod targets;

pub use noway::NoWay;
pub use plan::{HopPlan, Login, Password, Way, plan};
pub use route::{Route, route};
pub use targets::{ADDRESSES_MAX, Destination, HOSTS_MAX, Look, TARGETS_DEADLINE, Target, targets};

#[cfg(test)]
mod tests;
