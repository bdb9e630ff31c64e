//! Cutting command lines out of the input: CRLF ends a line, nothing else does (RFC 5321 s2.3.8).

use super::{CommandError, LineLimit};
use bytes::{Buf, BytesMut};

/// Why a line is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFault {
    /// Above the longest line of any verb. It was skipped to its end.
    TooLong,
    /// A bare CR or LF within it.
    BareLineEnd,
}

impl From<LineFault> for CommandError {
    fn from(fault: LineFault) -> CommandError {
        match fault {
            LineFault::TooLong => CommandError::LineTooLong,
            LineFault::BareLineEnd => CommandError::BareLineEnd,
        }
    }
}

/// Finds line ends over any cuts of the input, looking at each octet once.
#[derive(Debug, Clone, Default)]
pub struct LineReader {
    /// Octets at the front of the input that hold no CRLF.
    scanned: usize,
    skipping: bool,
}

impl LineReader {
    /// The next line, without its CRLF; `None` when its end is not here yet.
    pub fn next(
        &mut self,
        input: &mut BytesMut,
        limit: LineLimit,
    ) -> Option<Result<BytesMut, LineFault>> {
        let longest = limit.longest();
        let Some(end) = self.find_end(input) else {
            self.bound(input, longest);
            return None;
        };
        self.scanned = 0;
        let line = input.split_to(end);
        input.advance(2);
        if std::mem::take(&mut self.skipping) || line.len() + 2 > longest {
            return Some(Err(LineFault::TooLong));
        }
        if memchr::memchr2(b'\r', b'\n', &line).is_some() {
            return Some(Err(LineFault::BareLineEnd));
        }
        Some(Ok(line))
    }

    /// Forgets what it saw: the input was emptied or changed its owner (TLS, body octets).
    pub fn restart(&mut self) {
        *self = LineReader::default();
    }

    fn find_end(&mut self, input: &[u8]) -> Option<usize> {
        let mut from = self.scanned;
        while let Some(found) = memchr::memchr(b'\n', input.get(from..).unwrap_or_default()) {
            let lf = from + found;
            if lf > 0 && input.get(lf - 1) == Some(&b'\r') {
                return Some(lf - 1);
            }
            from = lf + 1;
        }
        self.scanned = input.len();
        None
    }

    /// Throws an endless line away, keeping the CR that may begin its end.
    fn bound(&mut self, input: &mut BytesMut, longest: usize) {
        if !self.skipping && input.len() < longest {
            return;
        }
        self.skipping = true;
        let cr = usize::from(input.last() == Some(&b'\r'));
        input.advance(input.len() - cr);
        self.scanned = cr;
    }
}
