//! What only its owner should know: passwords and codes, from the command line or from standard input.

use std::io::BufRead;

use super::{Exit, print};
use crate::control::Password;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Secret {
    /// The password; other users of this machine may see it.
    #[arg(long)]
    password: Option<String>,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    /// No password: it cannot log in.
    #[arg(long)]
    no_login: bool,
}

impl Secret {
    /// The password; none when it cannot log in.
    pub(super) fn read(self) -> Result<Option<Password>, Exit> {
        if self.no_login {
            return Ok(None);
        }
        if let Some(password) = self.password {
            return Ok(Some(Password(password)));
        }
        first_line("the password").map(|line| Some(Password(line)))
    }
}

/// The first line of standard input, which is `what`; empty when there is none.
pub(super) fn first_line(what: &str) -> Result<String, Exit> {
    let mut line = String::new();
    if let Err(error) = std::io::stdin().lock().read_line(&mut line) {
        print::error(&format!("{what} cannot be read: {error}"));
        return Err(Exit::Wrong);
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
