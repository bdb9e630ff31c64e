//! The Postrider mail server: the floors put together, the commands, and the talk between them.
//!
//! **For what.** [`cli::run`] is the whole program. One command is one file under `cli/`; what a command asks is a
//! [`access_admin::Request`], and one function answers it, in the server for whoever asks over the control socket, and in the
//! command's own process when no server runs. So a listing is the same query over the same rows, server up or down.
//!
//! **The way through.** `config.rs` reads the file · `rooms.rs` opens store, ledger and directory · `control/` asks and
//! answers · `cli/` reads the command line and prints · `node/` starts the server.
//!
//! **Never.** No command keeps state of its own. No act without a record of who did it.

pub mod cli;
pub mod config;
pub mod control;
pub mod node;
pub mod rooms;
