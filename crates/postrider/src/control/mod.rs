//! What can be asked of a Postrider, and its answers.
//!
//! The socket in the data directory speaks the HTTP API of the administration. Only its owner can ask there: the socket's mode
//! is 0600.

mod ask;
mod execute;
mod serve;

pub use access_admin::{
    ActState, ActStatus, Answer, DirectoryChange, DirectoryView, Group, Mover, OperatorChange,
    OperatorView, Password, Previewed, Question, Request, Verb,
};
pub use ask::{Answerer, Trouble, ask, ask_watching, ask_whoever};
pub use execute::bulk::Acts;
pub use execute::execute;
pub(crate) use execute::selftest::selftest;
pub(crate) use serve::{PULSE, serve};
