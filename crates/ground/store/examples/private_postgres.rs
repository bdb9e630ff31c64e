//! Runs a command with a private PostgreSQL server beside it, which ends with the command: the tests of the floors above
//! then run on PostgreSQL instead of SQLite in memory.
//!
//! ```text
//! cargo run -p ground-store --example private_postgres -- cargo nextest run -p path-ledger
//! ```

#[path = "../tests/private/mod.rs"]
mod private;

use std::process::{Command, ExitCode};

use private::PrivateServer;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("private_postgres: which command?");
        return ExitCode::FAILURE;
    };
    let server = PrivateServer::start();
    let status = Command::new(&program)
        .args(words)
        .env("POSTRIDER_TEST_POSTGRES", server.url("postgres"))
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("private_postgres: {}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
