//! A dialogue becomes an accepted message, or a reasoned refusal.
//!
//! **For what.** Mail comes in by SMTP, submission and LMTP ([`Server`]), from a program on this machine
//! ([`Intake::submit`]), and as reports that were written into the book without knowing their way ([`resume`]). All go through
//! the same admission.
//!
//! **The way through.**
//!
//! ```text
//!   server.rs   doors/ opens what the settings name; receive.rs: one accept loop a listener, one task a session
//!      |        gate.rs counts them; guard.rs counts wrong passwords; visit.rs: listeners that take no mail have a host
//!   session/    socket <-> wire_smtp's machine; deadlines, TLS, AUTH, PROXY
//!      |                     submit.rs   the same without a socket
//!   admit/      pressure -> size -> sender -> recipients -> content -> head -> birth -> store
//!      |
//!   ledger.accept: one unit, flushed; then 250       resume.rs   rows that wait for the directory
//! ```
//!
//! **Never.** No 250 before the flush. No refusal without a reason. No relay but for those who logged in or come from a
//! network in `relay_from`. A session that ends at any point before the flush leaves nothing behind.
//!
//! **Limits.** Sessions in all, on a listener and from a peer; wrong passwords (`[logins]`); commands and errors of a session; every wait on a peer
//! (`[timeouts]`), on the directory and on the store; recipients, rows and octets of a message; free disk and queue.

mod admit;
mod doors;
mod gate;
mod guard;
mod intake;
mod receive;
mod resume;
mod server;
mod session;
mod submit;
#[cfg(test)]
mod tests;
mod visit;

pub use doors::{Change, ListenError, StartError};
pub use guard::{Attempt, Guard, Wait};
pub use intake::{Intake, IntakeParts};
pub use resume::{RESUME_PULSE, resume};
pub use server::{GRACE, Server, ServerParts};
pub use submit::{Refused, Submission};
pub use visit::{Guest, Host};
