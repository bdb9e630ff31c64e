//! The strict check of text that is counted, not dot-ended (BDAT, RFC 3030).

use super::{Fault, TextLimits};

/// Follows text over any cuts and finds the first fault in it.
#[derive(Debug, Clone)]
pub struct TextCheck {
    limits: TextLimits,
    after_cr: bool,
    line: usize,
}

impl TextCheck {
    /// A check at the start of a message. `limits.size` is not its business: BDAT says sizes beforehand.
    pub fn new(limits: TextLimits) -> Self {
        TextCheck {
            limits,
            after_cr: false,
            line: 0,
        }
    }

    /// Checks the next octets of the message.
    pub fn check(&mut self, text: &[u8]) -> Result<(), Fault> {
        let mut rest = text;
        if self.after_cr {
            rest = match rest.split_first() {
                None => return Ok(()),
                Some((b'\n', rest)) => rest,
                Some(_) => return Err(Fault::BareCr),
            };
            self.after_cr = false;
            self.line = 0;
        }
        while let Some(at) = memchr::memchr3(b'\r', b'\n', 0, rest) {
            self.lengthen(at)?;
            let (mark, after) = rest
                .get(at..)
                .and_then(<[u8]>::split_first)
                .unwrap_or((&0, b""));
            match (mark, after.split_first()) {
                (b'\r', None) => {
                    self.after_cr = true;
                    return Ok(());
                }
                (b'\r', Some((b'\n', after))) => rest = after,
                (b'\r', Some(_)) => return Err(Fault::BareCr),
                (b'\n', _) => return Err(Fault::BareLf),
                _ => return Err(Fault::Nul),
            }
            self.line = 0;
        }
        self.lengthen(rest.len())
    }

    /// Checks the end of the message: a CR may not be its last octet. A last line without CRLF may
    /// (RFC 3030 s2: the chunk's octets are the message).
    pub fn finish(&self) -> Result<(), Fault> {
        match self.after_cr {
            true => Err(Fault::BareCr),
            false => Ok(()),
        }
    }

    fn lengthen(&mut self, octets: usize) -> Result<(), Fault> {
        self.line = self.line.saturating_add(octets);
        match self.line > self.limits.line {
            true => Err(Fault::LongLine),
            false => Ok(()),
        }
    }
}
