//! What can be asked of a Postrider, and its answers.
//!
//! A request is one line of JSON, followed by the octets it announces (a message to send); so is an answer (a message to
//! read). Over the socket in the data directory only its owner can ask: the socket's mode is 0600.

mod ask;
mod execute;
mod framing;
mod serve;

pub use access_admin::{
    ActState, ActStatus, Answer, DirectoryChange, DirectoryView, Group, Mover, OperatorChange,
    OperatorView, Password, Previewed, Question, Request, Verb,
};
pub use ask::{Trouble, ask};
pub use execute::bulk::Acts;
pub use execute::execute;
pub(crate) use execute::selftest::selftest;
pub(crate) use serve::{PULSE, serve};
