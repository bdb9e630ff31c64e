//! Reading a peer's replies as they arrive, bounded (RFC 5321 s4.2.1).

use super::Reply;
use bytes::{Buf, BytesMut};

/// Lines of one reply. EHLO answers of real servers stay below 40.
pub const REPLY_LINES: usize = 128;
/// Octets of one reply. Text beyond REPLY_LINE per line is common and harmless.
pub const REPLY_OCTETS: usize = 32 * 1024;

/// Why what a peer sent is no reply. The connection cannot go on: nobody knows what answers what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFault {
    /// A line that does not start with three digits and a space, a hyphen or its end.
    #[error("not a reply: {0:?}")]
    Malformed(String),
    /// The lines of one reply have different codes (RFC 5321 s4.2.1).
    #[error("a reply changes its code from {0} to {1}")]
    CodeChanged(u16, u16),
    /// Above [`REPLY_LINES`] or [`REPLY_OCTETS`].
    #[error("a reply without end")]
    TooLong,
}

/// Collects the lines of one reply.
#[derive(Debug, Clone, Default)]
pub struct ReplyReader {
    code: Option<u16>,
    text: String,
    lines: usize,
    scanned: usize,
}

impl ReplyReader {
    /// The next whole reply, when it is here.
    ///
    /// Differs from RFC 5321 s2.3.8: a line may end with LF alone. Commands are never taken from
    /// replies, and old peers do it.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Reply>, ReplyFault> {
        while let Some(line) = self.line(input)? {
            if let Some(reply) = self.add(&line)? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// True when the first lines of a reply are here and its last is not.
    pub fn is_midway(&self) -> bool {
        self.code.is_some()
    }

    fn line(&mut self, input: &mut BytesMut) -> Result<Option<BytesMut>, ReplyFault> {
        let rest = input.get(self.scanned..).unwrap_or_default();
        let Some(found) = memchr::memchr(b'\n', rest) else {
            self.scanned = input.len();
            return match self.text.len() + input.len() > REPLY_OCTETS {
                true => Err(ReplyFault::TooLong),
                false => Ok(None),
            };
        };
        let mut line = input.split_to(self.scanned + found);
        input.advance(1);
        self.scanned = 0;
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Ok(Some(line))
    }

    fn add(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyFault> {
        let (code, more, text) = split(line).ok_or_else(|| malformed(line))?;
        let first = *self.code.get_or_insert(code);
        if first != code {
            return Err(ReplyFault::CodeChanged(first, code));
        }
        if self.lines > 0 {
            self.text.push('\n');
        }
        self.lines += 1;
        let shown = String::from_utf8_lossy(text);
        self.text
            .extend(shown.chars().map(|c| if c.is_control() { '?' } else { c }));
        if self.lines > REPLY_LINES || self.text.len() > REPLY_OCTETS {
            return Err(ReplyFault::TooLong);
        }
        if more {
            return Ok(None);
        }
        self.code = None;
        self.lines = 0;
        Ok(Some(Reply::received(code, std::mem::take(&mut self.text))))
    }
}

/// Code, whether more lines follow, text. `250` alone is a last line (RFC 5321 s4.2: must be tolerated).
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_first_chunk::<3>()?;
    let code = std::str::from_utf8(digits).ok()?;
    let sound =
        digits.iter().all(u8::is_ascii_digit) && matches!(digits.first(), Some(b'2'..=b'5'));
    let code = sound.then(|| code.parse().ok()).flatten()?;
    match rest.split_first() {
        None => Some((code, false, rest)),
        Some((b' ', text)) => Some((code, false, text)),
        Some((b'-', text)) => Some((code, true, text)),
        Some(_) => None,
    }
}

fn malformed(line: &[u8]) -> ReplyFault {
    let shown = line.get(..80).unwrap_or(line);
    ReplyFault::Malformed(String::from_utf8_lossy(shown).into_owned())
}
