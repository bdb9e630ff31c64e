//! RCPT TO and its parameters (RFC 5321 s4.1.1.3; RFC 3461 s4.1, s4.2).

use super::CommandError;
use super::params::{Param, after_label, once, split};
use std::fmt;
use wire_message::OriginalRecipient;
use wire_message::address::{ForwardPath, split_path};

/// When the sender wants to be told (RFC 3461 s4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notify {
    /// Never.
    Never,
    /// In these cases; at least one is true.
    On {
        /// On delivery.
        success: bool,
        /// On failure.
        failure: bool,
        /// On delay.
        delay: bool,
    },
}

/// A recipient and what is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RcptParams {
    /// The mailbox.
    pub to: ForwardPath,
    /// NOTIFY; when not given, the server's usual (failure, and perhaps delay).
    pub notify: Option<Notify>,
    /// ORCPT: the recipient as the sender wrote it.
    pub orcpt: Option<OriginalRecipient>,
}

impl RcptParams {
    /// A recipient without parameters.
    pub fn new(to: impl Into<ForwardPath>) -> RcptParams {
        RcptParams {
            to: to.into(),
            notify: None,
            orcpt: None,
        }
    }

    /// Whether a transaction without SMTPUTF8 may carry it (RFC 6531 s3.3).
    pub fn is_ascii(&self) -> bool {
        match &self.to {
            ForwardPath::Postmaster => true,
            ForwardPath::Address(address) => address.is_ascii(),
        }
    }
}

const USAGE: CommandError = CommandError::Syntax("RCPT TO:<address> [parameters]");

pub(super) fn parse(text: &str) -> Result<RcptParams, CommandError> {
    let text = after_label(text, "TO:").ok_or(USAGE)?;
    let (path, tail) = split_path(text).ok_or(USAGE)?;
    let to = ForwardPath::parse(path).map_err(CommandError::Recipient)?;
    let mut rcpt = RcptParams::new(to);
    for param in split(tail).ok_or(USAGE)? {
        rcpt.take(&param)?;
    }
    Ok(rcpt)
}

impl RcptParams {
    fn take(&mut self, param: &Param<'_>) -> Result<(), CommandError> {
        if param.is("NOTIFY") {
            let value =
                notify(param.required("NOTIFY")?).ok_or(CommandError::BadValue("NOTIFY"))?;
            return once(&mut self.notify, "NOTIFY", value);
        }
        if param.is("ORCPT") {
            let value = OriginalRecipient::from_parameter(param.required("ORCPT")?)
                .map_err(|_| CommandError::BadValue("ORCPT"))?;
            return once(&mut self.orcpt, "ORCPT", value);
        }
        Err(param.unknown())
    }
}

/// NEVER stands alone (RFC 3461 s4.1).
fn notify(value: &str) -> Option<Notify> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (false, false, false);
    for word in value.split(',') {
        let slot = match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => &mut success,
            "FAILURE" => &mut failure,
            "DELAY" => &mut delay,
            _ => return None,
        };
        *slot = true;
    }
    Some(Notify::On {
        success,
        failure,
        delay,
    })
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Notify::On {
            success,
            failure,
            delay,
        } = *self
        else {
            return f.write_str("NEVER");
        };
        let words = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
        let mut separator = "";
        for (_, word) in words.iter().filter(|(on, _)| *on) {
            write!(f, "{separator}{word}")?;
            separator = ",";
        }
        Ok(())
    }
}

/// The whole command, without CRLF.
impl fmt::Display for RcptParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RCPT TO:{}", self.to)?;
        if let Some(notify) = self.notify {
            write!(f, " NOTIFY={notify}")?;
        }
        if let Some(orcpt) = &self.orcpt {
            write!(f, " ORCPT={orcpt}")?;
        }
        Ok(())
    }
}
